"""The payment machine: one function settles, whoever calls it.

Webhook, confirm call, poll and chain watcher all end in `payment_settle`, which locks the order
and the payment and does nothing the second time.
"""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from django.db import transaction

from common.audit.services import record as audit
from common.db import transactional
from common.outbox.services import enqueue
from payments.intake import locks, ports, rules
from payments.intake.locks import Locked
from payments.intake.models import Payment, PaymentEvent
from payments.intake.rules import OPEN, Reason, Status
from payments.intake.services.books import book_capture
from payments.intake.services.moves import move, payment_close, record
from payments.intake.services.refunds import refund_back
from payments.risk import services as risk
from shop.inventory.errors import OutOfStock
from shop.orders import services as orders
from shop.orders.models import Order
from shop.orders.rules import BOUGHT
from shop.orders.rules import Status as OrderStatus

# Long enough for the request that wrote it to open the payment at the provider by itself.
OPEN_TASK_DELAY: Final = 10


@dataclass(frozen=True, slots=True)
class Capture:
    """Money that a provider says has come in, in minor units; `reference` is the provider's."""

    amount: int
    currency: str
    reference: str


def payment_open(
    *,
    user_id: int,
    method: str,
    amount: int,
    currency: str,
    expires_at: datetime,
    order: Order | None = None,
    terms: Any = None,
) -> Payment:
    """Write a payment, the open one of its order, on its gateway's terms.

    Raises MethodUnavailable.
    """
    gateway = ports.gateway(method)
    payment = Payment.objects.create(
        order=order,
        user_id=user_id,
        method=method,
        amount=amount,
        currency=currency,
        expires_at=expires_at,
        open_for=order.pk if order else None,
    )
    record(payment, "opened", amount=amount)
    gateway.write([(payment, terms)])
    if gateway.open_task:
        enqueue(gateway.open_task, delay=OPEN_TASK_DELAY, payment_id=payment.pk)
    return payment


@transactional
def payment_settle(
    *,
    payment_id: int,
    capture: Capture,
    card: str = "",
    doubt: Reason | None = None,
    late_ok: bool = True,
) -> bool:
    """Count money in, once for each provider reference; True where it changed anything.

    `card` is the print of the card that paid, by which the provider knows it again. `doubt`: why
    whoever received it says that it must be looked at; `late_ok`: what is late may still buy.

    An open payment succeeds and its order is paid; money for a gone one is late money; more for
    one that has its money goes back, unless it had too little. Raises InsufficientFunds for a
    payment out of the wallet.
    """
    found = locks.payment(payment_id)
    payment = found.payment
    once = f"capture:{payment.method}:{capture.reference}"
    if PaymentEvent.objects.filter(once=once).exists():
        return False
    record(payment, "captured", amount=capture.amount, currency=capture.currency, once=once)
    audit(
        actor_id=None,
        action="payment.capture",
        target=f"payment:{payment.uid}",
        data=asdict(capture),
    )
    first = payment.captured == 0
    payment.captured += capture.amount
    payment.save(update_fields=["captured"])
    if not first:
        _add(found, capture)
        return True
    misfit = doubt or rules.misfit(payment.amount, capture.amount)
    if misfit or capture.currency != payment.currency:
        _review(found, misfit or Reason.WRONG_TOKEN)
        _book(payment, capture, used=False)
    elif _is_suspicious(found, card):
        _hold(found, capture)
    elif payment.status in OPEN and _is_wanted(found.order):
        _succeed(found)
        _book(payment, capture, used=True)
    else:
        _settle_late(found, capture, late_ok=late_ok)
    return True


def _add(found: Locked, capture: Capture) -> None:
    """More money: it tops up a payment that had too little, else it has bought nothing."""
    payment = found.payment
    if (payment.status, payment.reason) == (Status.REVIEW, Reason.UNDERPAID):
        _book(payment, capture, used=False)
    else:
        _give_back(found, capture, Reason.MULTIPLE)


def _book(payment: Payment, capture: Capture, *, used: bool) -> None:
    book_capture(payment, **asdict(capture), used=used)


def _is_wanted(order: Order | None) -> bool:
    """An open payment's order waits for it, unless late money of another one has paid it."""
    return order is None or order.status == OrderStatus.PENDING


def _is_suspicious(found: Locked, card: str) -> bool:
    """Of flash sales alone; money for what is paid already goes back whoever it is from."""
    order = found.order
    if order is None or order.run_id is None or order.status in BOUGHT:
        return False
    return risk.money_is_held(user_id=order.user_id, card=card)


def _hold(found: Locked, capture: Capture) -> None:
    """Staff decide; until then the order keeps what it holds."""
    _review(found, Reason.FRAUD)
    _book(found.payment, capture, used=False)
    if found.order is not None and found.order.status == OrderStatus.PENDING:
        orders.order_suspend_deadline(found.order, suspended=True)


def _succeed(found: Locked) -> None:
    if found.order is not None:
        orders.order_mark_paid(found.order)
    move(found.payment, Status.SUCCEEDED)


def _settle_late(found: Locked, capture: Capture, *, late_ok: bool) -> None:
    """Money for a payment that was given up: use it if the order can still be had, else refund."""
    reason = why_not_usable(found) if late_ok else Reason.LATE
    _review(found, reason or Reason.LATE)
    if reason is not None:
        _give_back(found, capture, reason)
        return
    move(found.payment, Status.SUCCEEDED)
    _book(found.payment, capture, used=True)


def _give_back(found: Locked, capture: Capture, reason: Reason) -> None:
    _book(found.payment, capture, used=False)
    refund_back(found, amount=capture.amount, reason=f"automatic: {reason}")


def why_not_usable(found: Locked) -> Reason | None:
    """Mark the order paid with money that was not expected; why that cannot be, if it cannot."""
    order = found.order
    if order is None:
        return None
    if order.status in BOUGHT:
        return Reason.MULTIPLE
    other = locks.open_payment(order)
    # One that is being decided cannot be called off; its money, if it comes, is `multiple`.
    if other is not None and other.status == Status.AWAITING:
        payment_close(other, Status.REPLACED)
    try:
        with transaction.atomic():
            orders.order_mark_paid(order, reason="late payment")
    except OutOfStock:
        order.refresh_from_db()
        return Reason.STOCK_GONE
    return None


def _review(found: Locked, reason: Reason) -> None:
    found.payment.reason = reason
    move(found.payment, Status.REVIEW, reason=reason)
    if found.order is not None and found.order.deadline_suspended:
        orders.order_suspend_deadline(found.order, suspended=False)


@transactional
def payment_mark_processing(*, payment_id: int) -> bool:
    """The provider is deciding; the order does not expire until it has."""
    found = locks.payment(payment_id)
    if found.payment.status != Status.AWAITING:
        return False
    move(found.payment, Status.PROCESSING)
    if found.order is not None:
        orders.order_suspend_deadline(found.order, suspended=True)
    return True


@transactional
def payment_mark_declined(*, payment_id: int, error: dict[str, Any]) -> bool:
    """A refused card: another may be tried while it waits; a payment under way has failed."""
    found = locks.payment(payment_id)
    payment = found.payment
    if payment.status not in OPEN:
        return False
    payment.last_error = error
    payment.save(update_fields=["last_error"])
    record(payment, "declined", data=error)
    if payment.status == Status.PROCESSING:
        payment_close(payment, Status.FAILED)
    if found.order is not None:
        orders.order_suspend_deadline(found.order, suspended=False)
    return True


@transactional
def payment_mark_failed(*, payment_id: int, error: dict[str, Any]) -> bool:
    """The provider has ended it; the order may still be paid another way."""
    found = locks.payment(payment_id)
    if found.payment.status not in OPEN:
        return False
    found.payment.last_error = error
    found.payment.save(update_fields=["last_error"])
    payment_close(found.payment, Status.FAILED)
    if found.order is not None:
        orders.order_suspend_deadline(found.order, suspended=False)
    return True

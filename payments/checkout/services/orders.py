"""An order and its payment: given up, or paid another way. Deposits, which have no order."""

from datetime import timedelta
from typing import Any

from django.conf import settings

from common import clock
from common.audit.services import record
from common.db import transactional
from common.errors import InvalidTransition
from common.idempotency.services import bind
from payments.intake import locks as intake_locks
from payments.intake import ports
from payments.intake import selectors as intake_reads
from payments.intake import services as intake
from payments.intake.errors import MethodUnavailable
from payments.intake.models import Payment
from payments.intake.rules import Method
from payments.intake.rules import Status as PaymentStatus
from shop.orders import locks as order_locks
from shop.orders import selectors as order_reads
from shop.orders import services as orders
from shop.orders.models import Order
from shop.orders.rules import Status

SWEEP_LIMIT = 200


def _open_payment(order: Order, method: str, terms: Any) -> Payment:
    return intake.payment_open(
        order=order,
        user_id=order.user_id,
        method=method,
        amount=order.total,
        currency=order.currency,
        expires_at=order.expires_at,
        terms=terms,
    )


@transactional
def order_cancel(*, order_id: int, actor_id: int) -> None:
    """Give up an unpaid order: its stock comes back, its payment is closed.

    Raises InvalidTransition, also while a payment is being decided.
    """
    order = order_locks.order(order_id)
    bind(order.number, status=200)
    payment = intake_locks.open_payment(order)
    if order.deadline_suspended:
        raise InvalidTransition("payment", PaymentStatus.PROCESSING, PaymentStatus.EXPIRED)
    orders.order_cancel(order, actor_id=actor_id)
    if actor_id != order.user_id:
        record(actor_id=actor_id, action="order.cancel", target=f"order:{order.number}")
    if payment is not None:
        intake.payment_close(payment, PaymentStatus.EXPIRED)


def payment_change(
    *, order_id: int, method: str, token: str | None = None, refund_address: str = ""
) -> Payment:
    """Pay an open order another way: the earlier payment is replaced at once.

    Raises InvalidTransition, MethodUnavailable, InsufficientFunds; for coins UnknownToken,
    AddressRefused and RateUnavailable.
    """
    terms = ports.gateway(method).terms(token, refund_address)
    # Its time may be over though no sweep has come by; a new payment would be born expired.
    order_expire(order_id=order_id)
    payment = _change(order_id, method, terms)
    ports.gateway(method).open(payment.pk)
    return payment


@transactional
def _change(order_id: int, method: str, terms: Any) -> Payment:
    order = order_locks.order(order_id)
    earlier = intake_locks.open_payment(order)
    if order.status != Status.PENDING:
        raise InvalidTransition("order", order.status, Status.PENDING)
    if order.deadline_suspended:
        raise InvalidTransition("payment", PaymentStatus.PROCESSING, PaymentStatus.REPLACED)
    if earlier is not None:
        intake.payment_close(earlier, PaymentStatus.REPLACED)
    payment = _open_payment(order, method, terms)
    bind(str(payment.uid), status=201)
    ports.gateway(method).pay_at_once(payment)
    return payment


def deposit_open(
    *,
    user_id: int,
    method: str,
    amount: int,
    currency: str,
    token: str | None = None,
    refund_address: str = "",
) -> Payment:
    """Open a payment into the customer's own wallet.

    Raises MethodUnavailable; for coins UnknownToken, AddressRefused and RateUnavailable.
    """
    if method == Method.WALLET:
        raise MethodUnavailable(method)
    terms = ports.gateway(method).terms(token, refund_address)
    payment = _deposit(user_id, method, amount, currency, terms)
    ports.gateway(method).open(payment.pk)
    return payment


@transactional
def _deposit(user_id: int, method: str, amount: int, currency: str, terms: Any) -> Payment:
    expires_at = clock.now() + timedelta(seconds=settings.ORDER_HOLD_SECONDS)
    payment = intake.payment_open(
        user_id=user_id,
        method=method,
        amount=amount,
        currency=currency,
        expires_at=expires_at,
        terms=terms,
    )
    bind(str(payment.uid), status=201)
    return payment


def deposits_expire() -> int:
    """Give up every deposit whose deadline has passed; returns how many."""
    overdue = intake_reads.overdue_deposit_ids(limit=SWEEP_LIMIT)
    return sum(_deposit_expire(payment_id=pk) for pk in overdue)


@transactional
def _deposit_expire(*, payment_id: int) -> bool:
    payment = intake_locks.payment(payment_id).payment
    # A card that is being decided may still bring the money.
    if payment.status != PaymentStatus.AWAITING:
        return False
    intake.payment_close(payment, PaymentStatus.EXPIRED)
    return True


def orders_expire() -> int:
    """Expire every order whose deadline has passed; returns how many."""
    return expire_all(order_reads.overdue_order_ids(limit=SWEEP_LIMIT))


def expire_all(order_ids: list[int]) -> int:
    return sum(order_expire(order_id=order_id) for order_id in order_ids)


@transactional
def order_expire(*, order_id: int) -> bool:
    """Expire one order if it is due, and its payment with it; False the second time."""
    order = order_locks.order(order_id)
    payment = intake_locks.open_payment(order)
    if not orders.order_expire(order):
        return False
    if payment is not None:
        intake.payment_close(payment, PaymentStatus.EXPIRED)
    return True

"""Payments of several orders, written together in the transaction that places them."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import uuid4

from accounts.ledger import services as ledger
from accounts.ledger.rules import Kind
from accounts.ledger.services import Purses, Spend
from common import rows
from common.audit.services import Act, record_many
from common.outbox.services import enqueue_many
from payments.intake import ports
from payments.intake.models import Payment, PaymentEvent
from payments.intake.rules import NEWS, Method, Status
from payments.intake.services.settle import OPEN_TASK_DELAY, Capture
from shop.orders.models import Order

_EVENT: Final = ("payment_id", "kind", "currency", "amount", "once", "data")
_PAYMENT: Final = (
    *("uid", "order_id", "user_id", "method", "status", "reason", "currency", "amount"),
    *("captured", "refund_pending", "refunded", "open_for", "created_at", "expires_at"),
)


# Of an event: kind, amount, what makes it the only one, data.
Fact = tuple[str, int, str | None, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Opening:
    """A new order that is to be paid, and the request that placed it."""

    order: Order
    request_id: str
    terms: Any = None


def payments_open(openings: Sequence[Opening], *, method: str) -> list[Payment]:
    """`payment_open` for each order. Raises MethodUnavailable."""
    gateway = ports.gateway(method)
    payments = [_payment(o.order, method, Status.AWAITING) for o in openings]
    _insert(payments)
    _record((payment, ("opened", payment.amount, None, {})) for payment in payments)
    gateway.write([(p, o.terms) for o, p in zip(openings, payments, strict=True)])
    if gateway.open_task:
        calls = [
            (o.request_id, {"payment_id": p.pk}) for o, p in zip(openings, payments, strict=True)
        ]
        enqueue_many(gateway.open_task, calls, due=_due(openings, OPEN_TASK_DELAY))
    return payments


def payments_from_wallet(openings: Sequence[Opening], *, purses: Purses) -> list[Payment]:
    """Open payments and settle them out of `purses`, as `payment_open` and `payment_settle` do."""
    payments = [_payment(o.order, Method.WALLET, Status.SUCCEEDED) for o in openings]
    captures = [Capture(p.amount, p.currency, str(p.uid)) for p in payments]
    references = [f"capture:{Method.WALLET}:{capture.reference}" for capture in captures]
    _insert(payments)
    succeeded: Fact = (Status.SUCCEEDED, 0, None, {"from": Status.AWAITING})
    for_each: list[tuple[Payment, Fact]] = []
    for payment, once in zip(payments, references, strict=True):
        for_each += [
            (payment, ("opened", payment.amount, None, {})),
            (payment, ("captured", payment.amount, once, {})),
            (payment, succeeded),
        ]
    _record(for_each)
    record_many(
        [
            Act("payment.capture", f"payment:{p.uid}", asdict(capture), o.request_id)
            for o, p, capture in zip(openings, payments, captures, strict=True)
        ]
    )
    _tell(openings, payments)
    spends = [
        Spend(reference, p.user_id, p.amount, f"order {o.order.number}")
        for o, p, reference in zip(openings, payments, references, strict=True)
    ]
    ledger.spends_post(purses=purses, spends=spends, credit=Kind.SALES, kind="sale")
    return payments


def _payment(order: Order, method: str, status: Status) -> Payment:
    paid = status == Status.SUCCEEDED
    return Payment(
        uid=uuid4(),
        order=order,
        user_id=order.user_id,
        method=method,
        status=status,
        currency=order.currency,
        amount=order.total,
        captured=order.total if paid else 0,
        open_for=None if paid else order.pk,
        created_at=order.placed_at,
        expires_at=order.expires_at,
    )


def _insert(payments: Sequence[Payment]) -> None:
    values = [[getattr(payment, name) for name in _PAYMENT] for payment in payments]
    keys = rows.insert_keyed(Payment, _PAYMENT, values, by="uid")
    for payment in payments:
        payment.pk, payment._state.adding = keys[payment.uid], False


def _record(facts: Iterable[tuple[Payment, Fact]]) -> None:
    """Append events to payments, in this order."""
    rows.insert(
        PaymentEvent,
        _EVENT,
        [
            (payment.pk, kind, payment.currency, amount, once, data)
            for payment, (kind, amount, once, data) in facts
        ],
    )


def _tell(openings: Sequence[Opening], payments: Sequence[Payment]) -> None:
    """As `tell` does for one: a task decides whether anybody hears of it."""
    paid = ("kind", Status.SUCCEEDED)
    keys = rows.keys_by(PaymentEvent, "payment_id", [p.pk for p in payments], where=paid)
    calls = [
        (o.request_id, {"event_id": keys[p.pk]}) for o, p in zip(openings, payments, strict=True)
    ]
    due = _due(openings, NEWS[Status.SUCCEEDED])
    enqueue_many("payments.notices.send", calls, due=due)


def _due(openings: Sequence[Opening], seconds: float) -> datetime:
    return openings[0].order.placed_at + timedelta(seconds=seconds)

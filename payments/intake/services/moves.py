"""How a payment changes: one function moves it, one writes its event, one gives it up."""

from typing import Any

from common.errors import InvalidTransition
from common.outbox.services import enqueue
from payments.intake import ports, rules
from payments.intake.models import Payment, PaymentEvent
from payments.intake.rules import NEWS, OPEN, Status
from shop.orders import services as orders


def move(payment: Payment, to: Status, *, actor_id: int | None = None, reason: str = "") -> None:
    """The only way a payment's status changes. Raises InvalidTransition."""
    if not rules.may_become(payment.status, to):
        raise InvalidTransition("payment", payment.status, to)
    data = {"from": payment.status} | ({"reason": reason} if reason else {})
    payment.status = to
    if to not in OPEN:
        payment.open_for = None
    payment.save(update_fields=["status", "reason", "open_for"])
    event = record(payment, to, data=data, actor_id=actor_id)
    if to in NEWS:
        tell(event, after=NEWS[to])


def record(
    payment: Payment,
    kind: str,
    *,
    amount: int = 0,
    currency: str = "",
    once: str | None = None,
    data: dict[str, Any] | None = None,
    actor_id: int | None = None,
) -> PaymentEvent:
    """Append an event; `once` is refused by its UNIQUE constraint the second time."""
    if payment.order is not None:
        orders.past_void(payment.order)
    return PaymentEvent.objects.create(
        payment=payment,
        kind=kind,
        amount=amount,
        currency=currency or payment.currency,
        once=once,
        data=data or {},
        actor_id=actor_id,
    )


def tell(event: PaymentEvent, *, after: int = 0) -> None:
    """Have a task decide, `after` seconds, whether anybody hears of an event."""
    enqueue("payments.notices.send", delay=after, event_id=event.pk)


def payment_close(payment: Payment, status: Status) -> None:
    """Give a locked open payment up and have the provider told."""
    move(payment, status)
    task = ports.gateway(payment.method).close_task
    if task:
        enqueue(task, payment_id=payment.pk)

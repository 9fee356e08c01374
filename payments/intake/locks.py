"""The only place that locks payments; always after their order."""

from dataclasses import dataclass

from payments.intake.models import Dispute, Payment, Refund
from shop.orders import locks as order_locks
from shop.orders.models import Order


@dataclass(frozen=True, slots=True)
class Locked:
    """A payment and its order, both locked; deposits have no order."""

    payment: Payment
    order: Order | None


def payment(pk: int) -> Locked:
    """Lock the order, then the payment: a webhook and a checkout must take them alike."""
    order_id = Payment.objects.values_list("order_id", flat=True).get(pk=pk)
    order = order_locks.order(order_id) if order_id else None
    found = Payment.objects.select_for_update().get(pk=pk)
    found.order = order
    return Locked(found, order)


def open_payment(order: Order) -> Payment | None:
    """The open payment of an order that the caller has locked."""
    return Payment.objects.select_for_update().filter(open_for=order.pk).first()


def refund(pk: int) -> tuple[Refund, Locked]:
    """Lock a refund's order, payment and row, in this order."""
    found = payment(Refund.objects.values_list("payment_id", flat=True).get(pk=pk))
    return Refund.objects.select_for_update().get(pk=pk), found


def dispute(reference: str) -> tuple[Dispute, Locked]:
    """Lock a dispute's order, payment and row. Raises Dispute.DoesNotExist."""
    found = payment(Dispute.objects.values_list("payment_id", flat=True).get(reference=reference))
    row = Dispute.objects.select_for_update().get(reference=reference)
    row.payment = found.payment
    return row, found

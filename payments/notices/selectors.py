"""What a mail about a payment event has to know."""

from datetime import datetime

from django.db.models import Sum

from payments.crypto import selectors as crypto
from payments.intake.models import Payment, PaymentEvent, Refund
from payments.intake.rules import Status
from payments.notices.rules import ASKS_CARDHOLDER, SURPLUS
from payments.stripe import selectors as stripe
from shop.orders.models import Order, OrderEvent, OrderLine
from shop.orders.rules import Status as OrderStatus


def event(pk: int) -> PaymentEvent:
    return PaymentEvent.objects.select_related("payment__order", "payment__user").get(pk=pk)


def event_ids_of(user_id: int) -> list[int]:
    """Every event of a customer's payments that no mail was begun for."""
    events = PaymentEvent.objects.filter(payment__user_id=user_id, notice=None)
    return list(events.values_list("pk", flat=True))


def reviewed(event: PaymentEvent) -> str:
    """Why the payment was in review when this event ended that; empty where it was not."""
    if event.data.get("from") != Status.REVIEW:
        return ""
    reviews = event.payment.events.filter(kind=Status.REVIEW, pk__lt=event.pk)
    return str(reviews.latest("pk").data["reason"])


def refund_of(event: PaymentEvent) -> Refund:
    """The refund that an event of one is about, by either place of its key."""
    uid = event.data.get("refund") or (event.once or "").removeprefix("refund:")
    return Refund.objects.select_related("payment__order").get(uid=uid)


def surplus(payment: Payment) -> int:
    """What was paid too much and went into the wallet."""
    paid_too_much = payment.refunds.filter(reason=SURPLUS)
    return paid_too_much.aggregate(n=Sum("amount"))["n"] or 0


def lines(order: Order) -> list[OrderLine]:
    return list(order.lines.order_by("pk"))


def another_open(order: Order) -> bool:
    return Payment.objects.filter(open_for=order.pk).exists()


def is_cancelled_by_shop(order: Order) -> bool:
    cancels = OrderEvent.objects.filter(order=order, new=OrderStatus.CANCELLED)
    return cancels.exclude(actor_id=order.user_id).exists()


def watched_until(payment: Payment) -> datetime | None:
    """Until when coins for it are waited for; None for what is not paid with coins."""
    invoice = crypto.invoice(payment.pk)
    return invoice.watched_until if invoice else None


def asks_cardholder(payment: Payment) -> bool:
    intent = stripe.intent(payment.pk)
    return intent is not None and intent.status == ASKS_CARDHOLDER

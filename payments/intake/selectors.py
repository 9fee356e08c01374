"""Reads of payments and refunds."""

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from django.db.models import Count, QuerySet, Sum
from django.db.models.functions import Now
from django.shortcuts import get_object_or_404

from payments.intake import ports
from payments.intake.models import Payment, Refund, RefundLine
from payments.intake.rules import OPEN, UNUSED, DisputeStatus, RefundStatus, Source, Status
from shop.orders import selectors as orders
from shop.orders.rules import BOUGHT, LineLeft


def payments_of(user_id: int) -> QuerySet[Payment]:
    return Payment.objects.filter(user_id=user_id).select_related("order")


def payments_all(*, status: str | None = None, method: str | None = None) -> QuerySet[Payment]:
    payments = Payment.objects.select_related("order", "user")
    if status:
        payments = payments.filter(status=status)
    return payments.filter(method=method) if method else payments


def payment_of(user_id: int, uid: str) -> Payment:
    """One payment of this customer; another's raises Http404 like a missing one."""
    return get_object_or_404(payments_of(user_id), uid=uid)


def payment_by_uid(uid: str) -> Payment:
    return get_object_or_404(payments_all(), uid=uid)


def payment(pk: int) -> Payment:
    return Payment.objects.select_related("order", "user").get(pk=pk)


def withheld(payment: Payment) -> int:
    """What was captured and the provider, or the chain, has taken back, for now or for good."""
    return _total(payment.disputes.exclude(status=DisputeStatus.WON))


def lost(payment: Payment) -> int:
    """What was taken back for good."""
    return _total(payment.disputes.filter(status=DisputeStatus.LOST))


def sent_back(payment: Payment) -> int:
    """Of money that had bought nothing: what has gone back, or is on its way."""
    found = payment.refunds.filter(source=Source.UNAPPLIED)
    return _total(found.exclude(status=RefundStatus.FAILED))


def forgiven(payment: Payment) -> int:
    """What was missing when the payment was taken all the same."""
    return _total(payment.events.filter(kind="forgiven"))


def _total(rows: QuerySet[Any]) -> int:
    return rows.aggregate(n=Sum("amount"))["n"] or 0


def reviews() -> list[tuple[str, int]]:
    """How many payments are in review, by reason, the most first."""
    rows = Payment.objects.filter(status=Status.REVIEW).order_by().values_list("reason")
    return sorted(rows.annotate(n=Count("pk")), key=lambda row: (-row[1], row[0]))


def overdue_deposit_ids(*, limit: int) -> list[int]:
    """Deposits that wait for money beyond their deadline."""
    due = Payment.objects.filter(
        order=None, status=Status.AWAITING, expires_at__lte=Now()
    ).order_by("expires_at")
    return list(due.values_list("pk", flat=True)[:limit])


def current_payments(order_ids: Collection[int]) -> dict[int, Payment]:
    """The open payment of each order, or else the one that paid it, or else the newest."""
    found: dict[int, Payment] = {}
    payments = Payment.objects.filter(order_id__in=order_ids).select_related("order")
    for payment in payments.order_by("pk"):
        kept = found.get(payment.order_id or 0)
        if kept is None or _weight(payment) >= _weight(kept):
            found[payment.order_id or 0] = payment
    return found


def _weight(payment: Payment) -> int:
    if payment.status in OPEN:
        return 3
    return 0 if not payment.captured else 1 if payment.reason in UNUSED else 2


def describe(payments: Collection[Payment]) -> dict[int, dict[str, Any]]:
    """What each payment's gateway tells clients, by payment key: one query for each method."""
    details: dict[int, dict[str, Any]] = {}
    for method, gateway in ports.gateways().items():
        mine = [payment for payment in payments if payment.method == method]
        details.update(gateway.describe(mine) if mine else {})
    return details


def lines_refundable(payment: Payment) -> list[LineLeft]:
    """What is left of each line of the payment's order, pending refunds taken off."""
    if payment.order_id is None:
        return []
    pending = _pending_by_line(payment.order_id)
    lines = orders.lines_left(payment.order_id)
    return [
        replace(
            line,
            amount=line.amount - pending.get(line.line_id, (0, 0))[0],
            quantity=line.quantity - pending.get(line.line_id, (0, 0))[1],
        )
        for line in lines
    ]


def _pending_by_line(order_id: int) -> dict[int, tuple[int, int]]:
    rows = RefundLine.objects.filter(
        refund__payment__order_id=order_id, refund__status=RefundStatus.PENDING
    ).values("order_line_id")
    sums = rows.annotate(money=Sum("amount"), units=Sum("quantity"))
    return {row["order_line_id"]: (row["money"], row["units"]) for row in sums}


def refund_by_uid(uid: str) -> Refund:
    return get_object_or_404(refunds_all(), uid=uid)


def refund(pk: int) -> Refund:
    return refunds_all().get(pk=pk)


def refunds_all() -> QuerySet[Refund]:
    return Refund.objects.select_related("payment__order").prefetch_related(
        "lines__order_line__product"
    )


def paid_by_method(user_id: int) -> list[dict[str, Any]]:
    """Per method: payments that bought something, gross and refunded, in minor units."""
    paid = Payment.objects.filter(user_id=user_id, captured__gt=0, order__status__in=BOUGHT)
    rows = (
        paid.exclude(reason__in=UNUSED)
        .values("method")
        .annotate(payments=Count("pk"), paid=Sum("captured"), given_back=Sum("refunded"))
    )
    return list(rows.order_by("method"))

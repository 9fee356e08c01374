"""Reads of orders, and what a customer has bought."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.db.models import Count, F, Max, Min, Prefetch, QuerySet, Sum
from django.db.models.functions import Now, TruncMonth
from django.shortcuts import get_object_or_404

from shop.orders.models import Order, OrderLine
from shop.orders.rules import BOUGHT, LineLeft, Status


def orders_of(user_id: int, *, status: str | None = None) -> QuerySet[Order]:
    """A customer's orders with their lines, two queries whatever their number."""
    orders = Order.objects.filter(user_id=user_id).prefetch_related(_lines())
    return orders.filter(status=status) if status else orders


def orders_all(*, status: str | None = None, fulfilment: str | None = None) -> QuerySet[Order]:
    orders = Order.objects.prefetch_related(_lines()).select_related("user")
    if status:
        orders = orders.filter(status=status)
    return orders.filter(fulfilment=fulfilment) if fulfilment else orders


def _lines() -> Any:
    """As they were ordered: without an order of their own they come as an index has them."""
    return Prefetch("lines", OrderLine.objects.select_related("product").order_by("pk"))


def order_of(user_id: int, number: str) -> Order:
    """One order of this customer; another's raises Http404 like a missing one."""
    return get_object_or_404(orders_of(user_id), number=number)


def order_by_number(number: str) -> Order:
    return get_object_or_404(orders_all(), number=number)


def order_id(number: str, *, user_id: int | None = None) -> int:
    """The row of an order, of this customer where one is given. Raises Http404."""
    owner = {} if user_id is None else {"user_id": user_id}
    return get_object_or_404(Order.objects.only("pk"), number=number, **owner).pk


def overdue_order_ids(*, limit: int) -> list[int]:
    """Orders whose deadline has passed by the database's clock, oldest first."""
    return list(_overdue().order_by("expires_at").values_list("pk", flat=True)[:limit])


def overdue_order_ids_holding(product_ids: Collection[int]) -> list[int]:
    """Overdue orders that still hold units of these products."""
    holding = _overdue().filter(lines__product__in=product_ids, lines__hold__released_at=None)
    return list(holding.order_by("pk").values_list("pk", flat=True).distinct()[:200])


def _overdue() -> QuerySet[Order]:
    return Order.objects.filter(
        status=Status.PENDING, deadline_suspended=False, expires_at__lte=Now()
    )


def lines_left(order_id: int) -> list[LineLeft]:
    """What of each line has not been refunded, by line."""
    lines = OrderLine.objects.filter(order_id=order_id).select_related("product").order_by("pk")
    return [
        LineLeft(
            line.pk,
            line.product.slug,
            line.unit_price,
            line.quantity - line.refunded_quantity,
            line.total - line.refunded,
        )
        for line in lines
    ]


def purchases(
    user_id: int,
    *,
    product: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> QuerySet[OrderLine]:
    """Every line this customer has bought; `since` inclusive, `until` exclusive."""
    lines = _bought(user_id).select_related("product", "order")
    if product:
        lines = lines.filter(product__slug=product)
    if since:
        lines = lines.filter(purchased_at__gte=since)
    return lines.filter(purchased_at__lt=until) if until else lines


def _bought(user_id: int) -> QuerySet[OrderLine]:
    return OrderLine.objects.filter(user_id=user_id, purchased_at__isnull=False)


def purchased_items(user_id: int) -> QuerySet[OrderLine, dict[str, Any]]:
    """Per product: units kept, what was spent on them after refunds, orders, first and last."""
    return (
        _bought(user_id)
        .values("product_id", slug=F("product__slug"), title=F("product__name"))
        .annotate(
            # In this order: below its own name, a column means the sum and no more the column.
            bought=Sum("quantity"),
            paid=Sum("total"),
            quantity=Sum(F("quantity") - F("refunded_quantity")),
            refunded_quantity=Sum("refunded_quantity"),
            spent=Sum(F("total") - F("refunded")),
            refunded=Sum("refunded"),
            orders=Count("order_id"),
            first_purchase=Min("purchased_at"),
            last_purchase=Max("purchased_at"),
        )
    )


def purchase_totals(user_id: int) -> dict[str, Any]:
    """Orders, units kept, gross, refunded of one customer, in minor units."""
    orders = Order.objects.filter(user_id=user_id, status__in=BOUGHT)
    money = orders.aggregate(orders=Count("pk"), paid=Sum("total"), refunded=Sum("refunded"))
    items = _bought(user_id).aggregate(items=Sum(F("quantity") - F("refunded_quantity")))
    return {name: value or 0 for name, value in {**money, **items}.items()}


def purchases_by_month(user_id: int) -> list[dict[str, Any]]:
    """Per calendar month (UTC) of payment: orders, gross and refunded, newest first."""
    orders = Order.objects.filter(user_id=user_id, status__in=BOUGHT)
    months = orders.annotate(month=TruncMonth("paid_at")).values("month")
    rows = months.annotate(orders=Count("pk"), paid=Sum("total"), refunded_sum=Sum("refunded"))
    return list(rows.order_by("-month"))


def favourite_product(user_id: int) -> dict[str, Any] | None:
    """The product of which the customer has kept most units, the latest bought where equal."""
    rows = purchased_items(user_id).order_by("-quantity", "-last_purchase", "product_id")
    return rows.filter(quantity__gt=0).first()

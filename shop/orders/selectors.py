"""Reads of orders, and what a customer has bought."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db.models import Count, F, Max, Min, Prefetch, Q, QuerySet, Sum
from django.db.models.functions import Now, TruncMonth
from django.shortcuts import get_object_or_404

from shop.orders.models import Order, OrderLine, PastPurchases
from shop.orders.rules import Bought, LineLeft, Status, Sums, add_sums


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
) -> QuerySet[OrderLine, dict[str, Any]]:
    """Every line this customer has bought, as plain values; `since` inclusive, `until` exclusive.

    Products by key alone: joined, MySQL begins with the few products and sorts all that the
    customer ever bought.
    """
    lines = _bought(user_id)
    if product:
        lines = lines.filter(product__slug=product)
    if since:
        lines = lines.filter(purchased_at__gte=since)
    lines = lines.filter(purchased_at__lt=until) if until else lines
    found: QuerySet[OrderLine, dict[str, Any]] = lines.values(*_PURCHASE)
    return found


_PURCHASE: Final = (
    *("pk", "product_id", "name", "unit_price", "quantity", "total", "refunded_quantity"),
    *("refunded", "purchased_at", "order__number", "order__status", "order__currency"),
)


def _bought(user_id: int) -> QuerySet[OrderLine]:
    return OrderLine.objects.filter(user_id=user_id, purchased_at__isnull=False)


@dataclass(frozen=True, slots=True)
class Past:
    """A customer's sums until a moment, or from the beginning where `until` is None."""

    until: datetime | None
    products: dict[int, Bought]
    months: dict[str, Sums]
    methods: dict[str, Sums]


def past(user_id: int) -> Past:
    """What is summed; nothing where it is void, and then the orders say everything."""
    found = PastPurchases.objects.filter(pk=user_id, until__isnull=False).first()
    if found is None:
        return Past(None, {}, {}, {})
    products = {int(pk): Bought.of_json(row) for pk, row in found.products.items()}
    months = {name: _sums(row) for name, row in found.months.items()}
    methods = {name: _sums(row) for name, row in found.methods.items()}
    return Past(found.until, products, months, methods)


def _sums(row: Sequence[Any]) -> Sums:
    count, paid, refunded = map(int, row)
    return count, paid, refunded


def lines_bought(
    user_id: int, *, after: datetime | None = None, until: datetime | None = None
) -> QuerySet[OrderLine]:
    """What the customer bought in (after, until]: one range of an index."""
    lines = _bought(user_id).order_by()
    lines = lines.filter(purchased_at__gt=after) if after else lines
    return lines.filter(purchased_at__lte=until) if until else lines


def products_bought(lines: QuerySet[OrderLine]) -> dict[int, Bought]:
    """Sums of a customer's lines by product."""
    sums = lines.values_list("product_id").annotate(
        Count("order_id"),
        Sum("quantity"),
        Sum("total"),
        Sum("refunded_quantity"),
        Sum("refunded"),
        Min("purchased_at"),
        Max("purchased_at"),
    )
    return {
        pk: Bought(count, int(units), int(paid), int(back), int(money_back), first, last)
        for pk, count, units, paid, back, money_back, first, last in sums
    }


def months_bought(lines: QuerySet[OrderLine]) -> dict[str, Sums]:
    """Orders, gross and refunded of a customer's lines by calendar month (UTC).

    Refunds are spread over lines, so that these are also the sums of the orders.
    """
    months = lines.values_list(TruncMonth("purchased_at"))
    rows = months.annotate(Count("order_id", distinct=True), Sum("total"), Sum("refunded"))
    return {f"{row[0]:%Y-%m}": _sums(row[1:]) for row in rows}


def purchased_items(user_id: int) -> list[dict[str, Any]]:
    """Per product: units kept, what was spent on them after refunds, orders, first and last."""
    found = past(user_id)
    return [_item(pk, bought) for pk, bought in products_until_now(user_id, found).items()]


def products_until_now(user_id: int, found: Past) -> dict[int, Bought]:
    """What was summed, and what was bought since."""
    since = products_bought(lines_bought(user_id, after=found.until))
    return found.products | {
        pk: found.products[pk] + one if pk in found.products else one for pk, one in since.items()
    }


def months_until_now(user_id: int, found: Past) -> dict[str, Sums]:
    return add_sums(found.months, months_bought(lines_bought(user_id, after=found.until)))


def _item(product_id: int, bought: Bought) -> dict[str, Any]:
    return {
        "product_id": product_id,
        "bought": bought.units,
        "paid": bought.paid,
        "quantity": bought.kept,
        "refunded_quantity": bought.refunded_units,
        "spent": bought.paid - bought.refunded,
        "refunded": bought.refunded,
        "orders": bought.orders,
        "first_purchase": bought.first,
        "last_purchase": bought.last,
    }


def favourite(products: Mapping[int, Bought]) -> tuple[int, int] | None:
    """The product of which most units were kept, the latest bought where equal; and how many."""
    ranked = ((bought.kept, bought.last, -pk) for pk, bought in products.items() if bought.kept)
    best = max(ranked, default=None)
    return (-best[2], best[0]) if best else None


def users_to_count(*, least: int, since: datetime | None) -> list[int]:
    """Customers whose sums are void, and those who have bought since and more than `least` lines
    that are not in their sums."""
    void = PastPurchases.objects.filter(until=None).order_by("pk").values_list("pk", flat=True)
    uncounted = Q(user__past_purchases__until=None) | Q(
        purchased_at__gt=F("user__past_purchases__until")
    )
    lines = OrderLine.objects.filter(uncounted, purchased_at__isnull=False).order_by()
    if since is not None:
        buyers = Order.objects.filter(paid_at__gt=since).order_by().values("user_id")
        lines = lines.filter(user_id__in=buyers)
    many = lines.values("user_id").annotate(n=Count("pk")).filter(n__gt=least)
    return sorted({*void, *many.values_list("user_id", flat=True)})


def users_counted() -> list[int]:
    counted = PastPurchases.objects.filter(until__isnull=False).order_by("pk")
    return list(counted.values_list("pk", flat=True))

"""What the orders themselves say: the sums that the shelves must equal."""

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any, Final

from django.db.models import Count, F, Max, Q, QuerySet, Sum
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce, Now, TruncHour

from common import moments
from shop.flash_sales.models import FlashRun
from shop.flash_sales.selectors import units_counted
from shop.orders.models import Order, OrderEvent, OrderLine
from shop.orders.rules import Status
from shop.statistics.models import (
    SUMMED,
    OrdersDay,
    OrdersHour,
    RunSales,
    SalesDay,
    SalesHour,
    SalesMark,
    SalesMonth,
)
from shop.statistics.selectors.shelves import Book, Row, Shelf, Spot

LAPSED: Final = (Status.CANCELLED, Status.EXPIRED)
BOUGHT_AT: Final = ("order__paid_at", "order__lines__purchased_at")


def products(since: datetime, until: datetime) -> dict[Spot, Row]:
    """By hour of purchase and product."""
    rows = (
        _lines(since, until)
        .values_list(TruncHour("purchased_at"), "product_id")
        .annotate(
            Count("order_id"),
            Sum("quantity"),
            Sum("total"),
            Sum("refunded_quantity"),
            Sum("refunded"),
        )
    )
    return {(hour, product): _whole(row) for hour, product, *row in rows}


def orders(since: datetime, until: datetime) -> dict[Spot, Row]:
    """By hour: orders bought then, and what became of those that were placed then."""
    bought, units, placed = _bought(since, until), _units(since, until), _placed(since, until)
    return {
        (hour, None): (
            bought.get(hour, (0, 0, 0))[0],
            units.get(hour, 0),
            *bought.get(hour, (0, 0, 0))[1:],
            *placed.get(hour, (0, 0, 0)),
        )
        for hour in bought.keys() | units.keys() | placed.keys()
    }


def _lines(since: datetime, until: datetime) -> QuerySet[OrderLine]:
    # An index has the moment of an order's payment, and none the moment of its lines, which are
    # bought in the same transaction: without the first, every line there ever was is read.
    paid = {
        "order__paid_at__gte": since - moments.SLACK,
        "order__paid_at__lt": until + moments.SLACK,
    }
    lines = OrderLine.objects.filter(purchased_at__gte=since, purchased_at__lt=until)
    return lines.filter(**paid).order_by()


def _units(since: datetime, until: datetime) -> dict[datetime, int]:
    rows = _lines(since, until).values_list(TruncHour("purchased_at")).annotate(Sum("quantity"))
    return {hour: int(units) for hour, units in rows}


def _bought(since: datetime, until: datetime) -> dict[datetime, Row]:
    paid = Order.objects.filter(paid_at__gte=since, paid_at__lt=until).order_by()
    rows = paid.values_list(TruncHour("paid_at"))
    sums: Any = rows.annotate(Count("pk"), Sum("total"), Sum("refunded"))
    return {hour: _whole(row) for hour, *row in sums}


def _placed(since: datetime, until: datetime) -> dict[datetime, Row]:
    placed = Order.objects.filter(placed_at__gte=since, placed_at__lt=until).order_by()
    sums: Any = placed.values_list(TruncHour("placed_at")).annotate(
        Count("pk"), Count("paid_at"), lapsed=Count("pk", filter=Q(status__in=LAPSED))
    )
    return {hour: _whole(row) for hour, *row in sums}


def _whole(row: Collection[Any]) -> Row:
    return tuple(int(value) for value in row)


def hours_touched(after: int, before: datetime) -> set[datetime]:
    """When orders were placed and bought whose status changed after this event.

    Those that were placed since `before` are left out: their hours are counted anyway.
    """
    old = Q(order__placed_at__lt=before) | Q(order__paid_at__lt=before)
    events = OrderEvent.objects.filter(old, pk__gt=after, field="status").order_by()
    # What was not bought has no hour of purchase, and an hour of nothing is an error on MySQL.
    bought = (Coalesce(column, "order__placed_at") for column in BOUGHT_AT)
    moments: tuple[Combinable, ...] = (F("order__placed_at"), *bought)
    found = events.values_list(*(TruncHour(moment) for moment in moments)).distinct()
    return {hour for row in found for hour in row}


def last_event_before(moment: datetime, after: int) -> int:
    """The newest event that was written before that moment, or `after` if there is none."""
    events = OrderEvent.objects.filter(pk__gt=after, created_at__lt=moment)
    return events.aggregate(last=Max("pk"))["last"] or after


PRODUCTS: Final = Shelf(
    "sales",
    SalesHour,
    SalesDay,
    SUMMED,
    products,
    key="product_id",
    months=SalesMonth,
)
ORDERS: Final = Shelf(
    "orders",
    OrdersHour,
    OrdersDay,
    ("orders", "units", "amount", "refunded", "placed", "paid", "lapsed"),
    orders,
)
SALES: Final = Book(
    "sales",
    (PRODUCTS, ORDERS),
    ((Order, "placed_at"), (Order, "paid_at"), (OrderLine, "purchased_at")),
    hours_touched,
    last_event_before,
)


def runs_to_count(*, since: datetime, after: int) -> set[int]:
    """Runs that have started and are open, ended since, never counted, or with an order touched."""
    lively = _started().filter(Q(ended_at=None) | Q(ended_at__gte=since) | Q(sales=None))
    events = OrderEvent.objects.filter(pk__gt=after, field="status", order__run__isnull=False)
    touched = events.order_by().values_list("order__run_id", flat=True).distinct()
    return {*lively.values_list("pk", flat=True), *(pk for pk in touched if pk is not None)}


def _started() -> QuerySet[FlashRun]:
    return FlashRun.objects.filter(starts_at__lte=Now()).order_by()


def run_differences() -> Iterator[str]:
    """A line for each run, of those whose units do not move, whose units are kept otherwise."""
    counted = SalesMark.objects.filter(name=SALES.name).first()
    if counted is None:
        return
    since = counted.counted_until - moments.SLACK
    lag = runs_to_count(since=since, after=counted.last_event)
    keys = {*_started().values_list("pk", flat=True)} - lag
    kept = RunSales.objects.in_bulk(keys)
    for pk, counts in sorted(units_counted(keys).items()):
        found = kept.get(pk)
        # None: it began, or is counted anew, while this was read.
        if found is not None and found.counts != counts:
            yield f"run {pk}: {found.counts} kept, {counts} counted"

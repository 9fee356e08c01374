"""Sales in figures, from rows whose number grows with days and products, never with orders."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from django.db.models import F, Q, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Coalesce

from shop.catalogue.models import Product
from shop.flash_sales.models import FlashPurchase, FlashRun
from shop.orders.models import OrderLine
from shop.statistics import rules
from shop.statistics.models import (
    SUMMED,
    OrdersDay,
    RunSales,
    SalesDay,
    SalesHour,
    SalesMark,
    SalesMonth,
)

# Points of a run's curve, beside its first purchase.
CURVE: Final = 24
KEPT: Final = F("units") - F("refunded_units")


@dataclass(frozen=True, slots=True)
class Sold:
    """What of a product was sold; `units` and `amount` without what came back.

    Amounts are minor units of money.
    """

    product_id: int
    orders: int
    units: int
    amount: int
    refunded_units: int = 0
    refunded: int = 0


@dataclass(frozen=True, slots=True)
class Bought:
    """Orders that were bought on a day; `amount` before what of them was refunded since."""

    day: date
    orders: int
    units: int
    amount: int
    refunded: int


@dataclass(frozen=True, slots=True)
class Cohort:
    """What became of the orders that were placed in a time; the rest still hold their units."""

    placed: int
    paid: int
    lapsed: int

    @property
    def open(self) -> int:
        return self.placed - self.paid - self.lapsed


@dataclass(frozen=True, slots=True)
class RunSold:
    """A run's units as they were counted last, and how its paid purchases came in.

    `curve`: (purchases so far, moment), in order; evenly spaced in purchases, not in time.
    """

    run: Any
    free: int
    held: int
    sold: int
    curve: list[tuple[int, datetime]]


def counted_until(name: str = "sales") -> datetime | None:
    """Up to when the figures of that book are counted, if they ever were."""
    return SalesMark.objects.filter(name=name).values_list("counted_until", flat=True).first()


def by_day(*, since: date, until: date) -> list[Bought]:
    """Days with purchases, both ends included, in order."""
    rows = OrdersDay.objects.filter(day__gte=since, day__lte=until, orders__gt=0).order_by("day")
    return [
        Bought(*row) for row in rows.values_list("day", "orders", "units", "amount", "refunded")
    ]


def cohort(*, since: date, until: date) -> Cohort:
    """Of the orders that were placed on these days, both ends included."""
    days = OrdersDay.objects.filter(day__gte=since, day__lte=until)
    sums = days.aggregate(n=Sum("placed"), p=Sum("paid"), x=Sum("lapsed"))
    return Cohort(*(int(sums[name] or 0) for name in ("n", "p", "x")))


def by_product(*, since: date, until: date, product_id: int | None = None) -> list[Sold]:
    """Every product, or this one, if sold on these days, both ends included, by amount."""
    parts = [_by_product(rows, product_id) for rows in _whole_period(since, until)]
    # One statement: of two, the second might see a count that the first has not seen.
    found = parts[0].union(*parts[1:], all=True) if parts[1:] else parts[0]
    sums: dict[int, list[int]] = {}
    for product, *row in found:
        before = sums.get(product, [0] * len(row))
        sums[product] = [known + int(more) for known, more in zip(before, row, strict=True)]
    sold = [_sold(product, *row) for product, row in sums.items()]
    return sorted(sold, key=lambda one: (-one.amount, one.product_id))


def _whole_period(since: date, until: date) -> list[QuerySet[Any]]:
    """Its whole months, as far as they are kept, and its other days."""
    days = SalesDay.objects.filter(day__gte=since, day__lte=until)
    first, after = rules.whole_months(since, until)
    if first >= after:
        return [days]
    mark = SalesMark.objects.filter(name="sales").values("months_until")
    kept = Coalesce(Subquery(mark), Value(first))
    months = SalesMonth.objects.filter(month__gte=first, month__lt=after).filter(month__lt=kept)
    return [months, days.filter(Q(day__lt=first) | Q(day__gte=after) | Q(day__gte=kept))]


def _by_product(rows: QuerySet[Any], product_id: int | None) -> Any:
    rows = rows if product_id is None else rows.filter(product_id=product_id)
    return rows.order_by().values_list("product_id").annotate(*(Sum(name) for name in SUMMED))


def best_sellers(*, since: date, limit: int) -> list[tuple[int, int]]:
    """(product, units that were sold since that day and kept), the most first; none archived."""
    days = SalesDay.objects.filter(day__gte=since).order_by()
    sums = days.values_list("product_id").annotate(n=Sum(KEPT)).order_by("-n", "product_id")
    sold = {product: int(kept) for product, kept in sums if kept > 0}
    # Joined to the sums, each day of each product looks for its product: three times the work.
    gone = Product.objects.filter(pk__in=sold, archived_at__isnull=False)
    left = sold.keys() - set(gone.values_list("pk", flat=True))
    return [(product, kept) for product, kept in sold.items() if product in left][:limit]


def _sold(product_id: int, n: int, u: int, a: int, ru: int, ra: int) -> Sold:
    return Sold(product_id, n, u - ru, a - ra, ru, ra)


def units_by_day(*, since: date) -> dict[date, int]:
    """Units sold and kept, of all products; days without any sale are left out."""
    days = SalesDay.objects.filter(day__gte=since).order_by().values_list("day")
    return {day: int(kept) for day, kept in days.annotate(n=Sum(KEPT))}


def units_by_product(product_ids: Collection[int], *, since: date) -> dict[tuple[date, int], int]:
    """The same of these products, by day and product."""
    days = SalesDay.objects.filter(product_id__in=product_ids, day__gte=since)
    rows = days.values_list("day", "product_id", KEPT)
    return {(day, product): kept for day, product, kept in rows}


def units_of_hours(spans: Sequence[tuple[int, datetime, datetime]]) -> list[int]:
    """Units kept of (product, since, until) each, in whole hours; one query for all of them."""
    wanted = [
        Q(product_id=product, hour__gte=since, hour__lt=until) for product, since, until in spans
    ]
    return _each(SalesHour.objects.all(), KEPT, wanted)


def units_before(moments: Sequence[tuple[int, datetime]]) -> list[int]:
    """Units kept of (product, moment) each, from the beginning of its hour to that moment.

    One query, whose rows are those of these hours alone.
    """
    kept = F("quantity") - F("refunded_quantity")
    wanted = [
        Q(product_id=product, purchased_at__gte=rules.hour_of(moment), purchased_at__lt=moment)
        for product, moment in moments
    ]
    return _each(OrderLine.objects.all(), kept, wanted)


def _each(rows: QuerySet[Any], kept: Any, wanted: Sequence[Q]) -> list[int]:
    """The sum of each, by a range of an index each: one condition for all would read them all."""
    if not wanted:
        return []
    parts = [
        rows.order_by().filter(one).values(place=Value(place)).annotate(n=Sum(kept))
        for place, one in enumerate(wanted)
    ]
    found = parts[0].union(*parts[1:], all=True) if parts[1:] else parts[0]
    sums = {row["place"]: int(row["n"] or 0) for row in found}
    return [sums.get(place, 0) for place in range(len(wanted))]


def runs_sold(*, since: datetime, until: datetime, limit: int) -> list[RunSold]:
    """Runs that were held in [since, until), the newest first."""
    runs = FlashRun.objects.select_related("sale__product", "sales").filter(
        Q(ended_at=None) | Q(ended_at__gte=since), starts_at__lt=until, sales__isnull=False
    )
    # One that was ended before it started was never held.
    held = runs.exclude(ended_at__lte=F("starts_at"))
    return [_run(run, run.sales) for run in held.order_by("-starts_at", "-pk")[:limit]]


def _run(run: FlashRun, counted: RunSales) -> RunSold:
    return RunSold(run, counted.free, counted.held, counted.sold, _curve(run.pk))


def _curve(run_id: int) -> list[tuple[int, datetime]]:
    """Read at some positions of the leaderboard, which costs the same whatever its length."""
    placed = FlashPurchase.objects.filter(run_id=run_id, position__isnull=False)
    last = placed.order_by("-position").values_list("position", flat=True).first() or 0
    steps = {max(1, last * step // CURVE) for step in range(1, CURVE + 1)} | {1}
    points = placed.filter(position__in=steps).order_by("position")
    return [(n, moment) for n, moment in points.values_list("position", "paid_at") if n and moment]

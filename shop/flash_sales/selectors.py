"""Reads of flash sales; every moment is compared with the database's clock."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NoReturn, TypeVar

from django.db.models import Count, Exists, F, Max, OuterRef, Prefetch, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce, Now
from django.shortcuts import get_object_or_404

from accounts.users.models import User
from common import clock
from shop.catalogue.selectors import PricedProduct
from shop.flash_sales import rules
from shop.flash_sales.errors import (
    AllocationMissing,
    NoSuchRun,
    NoSuchSale,
    SaleEnded,
    SaleNotStarted,
)
from shop.flash_sales.live.rules import shown
from shop.flash_sales.models import FlashPurchase, FlashRun, FlashSale, FlashTally, FlashUnit
from shop.flash_sales.rules import Counts, RunStatus, UnitState

# `Window.called_off` says the opposite.
HELD: Final = Q(ended_at=None) | Q(ended_at__gt=F("starts_at"))
# By the sale as well: asked for each of many, MySQL would sort all runs of a sale to find its last.
NEWEST: Final = ("-sale_id", "-starts_at", "-pk")
Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class RunNow:
    """A run, its units by state, and what it is at the moment `at`."""

    run: FlashRun
    counts: Counts
    at: datetime

    @property
    def status(self) -> RunStatus:
        return rules.status(self.run.window, self.counts, self.at)


@dataclass(frozen=True, slots=True)
class SaleNow:
    """A sale with its current (or else its last, or else its first) run and the one after it."""

    sale: FlashSale
    run: RunNow | None
    next_run: FlashRun | None
    at: datetime

    @property
    def status(self) -> RunStatus | None:
        return None if self.run is None else self.run.status


def sale_list() -> QuerySet[FlashSale]:
    return FlashSale.objects.select_related("product").order_by("slug")


def sales_next(*, limit: int) -> list[SaleNow]:
    """Sales that are open now, or else come next, by the start of that run; three queries."""
    runs = _open_runs().order_by("starts_at").values_list("sale_id", flat=True)
    # A sale has one row for each run planned ahead.
    keys = list(dict.fromkeys(runs[: 20 * limit]))[:limit]
    found = {now.sale.pk: now for now in sales_now(sale_list().filter(pk__in=keys))}
    return [found[key] for key in keys]


def sale_get(slug: str) -> FlashSale:
    """Raises NoSuchSale."""
    found = FlashSale.objects.select_related("product").filter(slug=slug).first()
    if found is None:
        raise NoSuchSale
    return found


def sale_by_id(pk: int) -> FlashSale:
    return FlashSale.objects.select_related("product").get(pk=pk)


def sales_now(sales: Iterable[FlashSale]) -> list[SaleNow]:
    """Sales with their runs; two queries, whatever their number."""
    sales = list(sales)
    now, shown_by_sale = runs_shown_by_sale([sale.pk for sale in sales])
    counts = unit_counts([runs[0].pk for runs in shown_by_sale.values()])
    return [_sale_now(sale, shown_by_sale.get(sale.pk, []), counts, now) for sale in sales]


def sale_now(sale: FlashSale) -> SaleNow:
    """One sale with its runs; two queries, in half of the time."""
    now, runs = runs_shown(FlashRun.objects.filter(sale=sale))
    return _sale_now(sale, runs, unit_counts([run.pk for run in runs[:1]]), now)


def _sale_now(
    sale: FlashSale, runs: Sequence[FlashRun], counts: dict[int, Counts], now: datetime
) -> SaleNow:
    current, following, *_ = [*runs, None, None]
    run = None if current is None else RunNow(current, counts[current.pk], now)
    return SaleNow(sale, run, following, now)


def runs_shown(own: QuerySet[FlashRun]) -> tuple[datetime, list[FlashRun]]:
    """The moment, and what `shown` picks from all runs of a sale."""
    held = own.filter(HELD)
    last = held.filter(starts_at__lte=Now()).order_by("-starts_at").values("starts_at")[:1]
    since = held.filter(starts_at__gte=Coalesce(Subquery(last), Now()))
    # The clock in the same query: a thread among many busy ones waits its turn after each.
    found = list(since.annotate(now=Now()).order_by("starts_at", "pk"))
    if not found:
        return clock.now(), list(own.order_by(*NEWEST)[:1])
    return found[0].now, shown(found, found[0].now)


def runs_shown_by_sale(sales: Sequence[int]) -> tuple[datetime, dict[int, list[FlashRun]]]:
    """The same of each of these sales that has a run, by its key; one query."""
    own = FlashRun.objects.filter(sale=OuterRef("pk")).values("pk")
    last = Coalesce(Subquery(_started(own)[:1]), Subquery(own.order_by(*NEWEST)[:1]))
    runs = FlashRun.objects.annotate(now=Now())
    coming = runs.filter(HELD, sale__in=sales, starts_at__gt=Now())
    started = runs.filter(pk__in=FlashSale.objects.filter(pk__in=sales).values(last=last))
    # SQLite's clock goes on within a statement: what starts meanwhile is found twice, not never.
    found = {run.pk: run for run in coming.union(started, all=True)}
    now = max((run.now for run in found.values()), default=None) or clock.now()
    by_sale: dict[int, list[FlashRun]] = {}
    for run in sorted(found.values(), key=lambda run: (run.starts_at, run.pk)):
        by_sale.setdefault(run.sale_id, []).append(run)
    return now, {key: shown(each, now) for key, each in by_sale.items()}


def _started(runs: QuerySet[FlashRun, Row]) -> QuerySet[FlashRun, Row]:
    """Those that were not called off, the newest first."""
    return runs.filter(HELD, starts_at__lte=Now()).order_by(*NEWEST)


def runs_now(runs: Iterable[FlashRun]) -> list[RunNow]:
    """Two queries, whatever their number."""
    found, now = list(runs), clock.now()
    counts = unit_counts([run.pk for run in found])
    return [RunNow(run, counts[run.pk], now) for run in found]


def runs_of(slug: str) -> QuerySet[FlashRun]:
    """Raises NoSuchSale."""
    return FlashRun.objects.filter(sale=sale_get(slug)).select_related("sale__product")


def free_slug(product: str) -> str:
    """One that no other sale of the product has; whoever is first gets it."""
    stem = f"{product[:80].rstrip('-')}-flash"
    taken = {*FlashSale.objects.filter(slug__startswith=stem).values_list("slug", flat=True)}
    numbered = (f"{stem}-{number}" for number in range(2, len(taken) + 3))
    return next(slug for slug in (stem, *numbered) if slug not in taken)


def next_number(sale: FlashSale) -> int:
    """Of a run to come; the caller has locked the sale."""
    newest = FlashRun.objects.filter(sale=sale).aggregate(newest=Max("number"))["newest"]
    return 1 + (newest or 0)


def last_allocation(sale: FlashSale) -> int:
    """Of the newest run. Raises AllocationMissing."""
    runs = FlashRun.objects.filter(sale=sale).order_by("-number")
    found = runs.values_list("allocation", flat=True).first()
    if found is None:
        raise AllocationMissing
    return found


def unit_counts(run_ids: Iterable[int]) -> dict[int, Counts]:
    """Units by state of each run, whatever their number; one query."""
    runs = FlashRun.objects.filter(pk__in=list(run_ids)).order_by()
    sums = (Coalesce(Sum(f"tallies__{state}"), 0) for state in rules.TALLIED)
    return {
        pk: Counts(allocation - held - sold - returned, held, sold, returned)
        for pk, allocation, held, sold, returned in runs.values_list("pk", "allocation", *sums)
    }


def units_counted(run_ids: Iterable[int]) -> dict[int, Counts]:
    """The same by a look at each unit."""
    states = {state.value: Count("pk", filter=Q(state=state)) for state in UnitState}
    rows = FlashUnit.objects.filter(run_id__in=list(run_ids)).order_by().values("run_id")
    return {row.pop("run_id"): Counts(**row) for row in rows.annotate(**states)}


@dataclass(frozen=True, slots=True)
class Gap:
    """Units that are in these states, less those that the tallies of the run say are."""

    held: int
    sold: int
    returned: int


def tally_gaps(run_id: int | None = None) -> dict[int, Gap]:
    """Runs, or this one, whose tallies are wrong; each of one moment."""
    runs = FlashRun.objects.order_by("pk") if run_id is None else FlashRun.objects.filter(pk=run_id)
    gaps = (_units_in(state) - _tallied(state) for state in rules.TALLIED)
    found = {pk: Gap(*gap) for pk, *gap in runs.values_list("pk", *gaps)}
    return {pk: gap for pk, gap in found.items() if gap != Gap(0, 0, 0)}


def _units_in(state: str) -> Coalesce:
    units = FlashUnit.objects.filter(run=OuterRef("pk"), state=state).order_by().values("run")
    return Coalesce(Subquery(units.annotate(n=Count("pk")).values("n")), 0)


def _tallied(state: str) -> Coalesce:
    tallies = FlashTally.objects.filter(run=OuterRef("pk")).order_by().values("run")
    return Coalesce(Subquery(tallies.annotate(n=Sum(state)).values("n")), 0)


def run_of(sale: FlashSale, number: int) -> FlashRun:
    """Raises NoSuchRun."""
    found = FlashRun.objects.filter(sale=sale, number=number).first()
    if found is None:
        raise NoSuchRun
    return found


def run_listed(slug: str, number: int | None) -> int | None:
    """The run of that number, or else the one that started last, if any has.

    Raises NoSuchSale, NoSuchRun.
    """
    sale = sale_get(slug)
    if number is not None:
        return run_of(sale, number).pk
    started = _started(FlashRun.objects.filter(sale=sale))
    return started.values_list("pk", flat=True).first()


def run_at_hand(sale: FlashSale) -> FlashRun | None:
    """The run that is live, or else the next, as far as times say."""
    return _open_runs().filter(sale=sale).order_by("starts_at").first()


def run_get(pk: int) -> FlashRun:
    return FlashRun.objects.select_related("sale__product").get(pk=pk)


def has_free_units(run_id: int) -> bool:
    return FlashUnit.objects.filter(run_id=run_id, state=UnitState.FREE).exists()


def is_all_paid(run_id: int) -> bool:
    """Whether the run is over before anybody has written it down."""
    unpaid = FlashUnit.objects.filter(run_id=run_id, state__in=[UnitState.FREE, UnitState.HELD])
    return not unpaid.exists()


def run_to_buy(sale: FlashSale) -> FlashRun:
    """The run that is open at this moment, not whether it has units.

    Raises SaleNotStarted with the next start, SaleEnded where none is to come.
    """
    now = clock.now()
    runs = FlashRun.objects.select_related("sale__product").filter(sale=sale, ended_at=None)
    started = runs.filter(starts_at__lte=now).order_by("-starts_at").first()
    if started is None or started.window.is_over(now):
        check_next(sale, now)
    return started


def check_next(sale: FlashSale, at: datetime | None = None) -> NoReturn:
    """Raises SaleNotStarted with the start of the next run, SaleEnded where none is to come.

    `at`: when no run was open. One that starts between two looks at the clock has not ended.
    """
    coming = FlashRun.objects.filter(sale=sale, ended_at=None, starts_at__gt=at or Now())
    found = coming.annotate(now=Now()).order_by("starts_at").values_list("starts_at", "now").first()
    if found is None:
        raise SaleEnded
    starts_at, now = found
    raise SaleNotStarted(starts_at, seconds=max(0.0, (starts_at - now).total_seconds()))


def priced(run: FlashRun) -> PricedProduct:
    """The run's product at the run's price."""
    product = run.sale.product
    return PricedProduct(
        product.pk, product.slug, product.sku, product.name, run.price, product.currency
    )


def purchase_of(user_id: int, number: str) -> FlashPurchase:
    """A customer's purchase by its order, with its units. Raises Http404."""
    units = Prefetch("units", FlashUnit.objects.order_by("number"))
    found = FlashPurchase.objects.select_related("run", "order")
    found = found.prefetch_related("order__lines__product", units)
    return get_object_or_404(found, user_id=user_id, order__number=number)


def _open_runs() -> QuerySet[FlashRun]:
    return FlashRun.objects.filter(ended_at=None).exclude(ends_at__lte=Now())


def run_is_sold_out(run_id: int) -> bool:
    """The run is open, has no unit, not all is paid, and no hold has run out; one query."""
    units = FlashUnit.objects.filter(run_id=run_id)
    free, unpaid = units.filter(state=UnitState.FREE), units.exclude(state=UnitState.SOLD)
    overdue = _overdue(run_id)
    return _open_runs().filter(~Exists(free), Exists(unpaid), ~Exists(overdue), pk=run_id).exists()


def free_units(run_id: int, keys: Collection[int] | None = None) -> list[tuple[int, int]]:
    """Units that nobody has, all or those of `keys`, each (primary key, serial number)."""
    units = FlashUnit.objects.filter(run_id=run_id, state=UnitState.FREE)
    if keys is not None:
        units = units.filter(pk__in=keys)
    return list(units.order_by("number").values_list("pk", "number"))


def slots_by_user(run_id: int, user_ids: Collection[int]) -> dict[int, set[int]]:
    """The places that each user's units take in the run; one query."""
    units = FlashUnit.objects.filter(run_id=run_id, user_id__in=set(user_ids))
    found: dict[int, set[int]] = {}
    for user_id, slot in units.order_by().values_list("user_id", "slot"):
        if user_id is not None and slot is not None:
            found.setdefault(user_id, set()).add(slot)
    return found


def runs_to_end() -> list[int]:
    """Open runs past their time, or with every unit paid for."""
    open_runs = FlashRun.objects.filter(ended_at=None, starts_at__lte=Now())
    unpaid = FlashUnit.objects.filter(state__in=[UnitState.FREE, UnitState.HELD]).values("run_id")
    over = open_runs.filter(Q(ends_at__lte=Now()) | ~Q(pk__in=unpaid))
    return list(over.order_by("pk").values_list("pk", flat=True))


def runs_with_unplaced() -> list[int]:
    paid = FlashPurchase.objects.filter(position=None, paid_at__lte=Now() - rules.SETTLING)
    return list(paid.order_by("run_id").values_list("run_id", flat=True).distinct())


def last_position(run_id: int) -> int:
    placed = FlashPurchase.objects.filter(run_id=run_id, position__isnull=False)
    return placed.order_by("-position").values_list("position", flat=True).first() or 0


def leaderboard(run_id: int | None) -> QuerySet[FlashPurchase]:
    """Paid purchases by position; a page costs the same at any depth. Of no run: none."""
    placed = FlashPurchase.objects.filter(run_id=run_id, position__isnull=False)
    # Joined, MySQL may begin with the users and sort all their purchases: at ten million, half a
    # minute and no answer.
    people = Prefetch("user", User.objects.only("username"))
    shown = placed.only("position", "paid_at", "user", "quantity")
    return shown.prefetch_related(people).order_by("position")


def _overdue(run_id: int) -> QuerySet[FlashPurchase]:
    return FlashPurchase.objects.filter(
        run_id=run_id,
        state=rules.PurchaseState.HELD,
        order__expires_at__lte=Now(),
        order__deadline_suspended=False,
    )


def overdue_order_ids(run_id: int) -> list[int]:
    """Orders whose time is over, though no sweep has come by, and that still hold units."""
    return list(_overdue(run_id).order_by("order_id").values_list("order_id", flat=True)[:200])

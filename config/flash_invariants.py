"""What must hold of every flash run: its units, its purchases, its orders and the stock agree."""

from collections.abc import Callable, Iterator
from typing import Final

from django.db.models import Count, F, Q, Sum

from shop.flash_sales.models import FlashPurchase, FlashRun, FlashUnit
from shop.flash_sales.rules import Counts, PurchaseState, UnitState
from shop.flash_sales.selectors import tally_gaps, units_counted
from shop.inventory.models import StockMovement
from shop.orders.models import OrderLine
from shop.orders.rules import BOUGHT
from shop.orders.rules import Status as OrderStatus

_NONE: Final = Counts(0, 0, 0, 0)


def runs_have_a_row_for_each_unit() -> Iterator[str]:
    runs = list(FlashRun.objects.all())
    counts = units_counted(run.pk for run in runs)
    for run in runs:
        found = counts.get(run.pk, _NONE)
        if found.allocation != run.allocation:
            yield f"3 run {run.pk}: {found.allocation} units of {run.allocation}"
        if run.ended_at is not None and found.free:
            yield f"3 run {run.pk}: ended, and {found.free} of its units are on sale"
        if run.ended_at is None and found.returned:
            yield f"3 run {run.pk}: on sale, and {found.returned} of its units were given back"


def tallies_are_the_sums_of_units() -> Iterator[str]:
    for run_id, gap in tally_gaps().items():
        yield f"3 run {run_id}: its tallies lack {gap}"


def units_are_what_orders_bought() -> Iterator[str]:
    """Sold units = units in the run's paid orders; held units = units in its open ones."""
    states = [(UnitState.SOLD, BOUGHT), (UnitState.HELD, [OrderStatus.PENDING])]
    for state, statuses in states:
        units = FlashUnit.objects.filter(state=state).order_by().values_list("run_id")
        found = dict(units.annotate(n=Count("pk")))
        lines = OrderLine.objects.filter(order__status__in=statuses, order__run__isnull=False)
        ordered = lines.order_by().values_list("order__run_id").annotate(n=Sum("quantity"))
        for run_id, wanted in ordered:
            if (have := found.pop(run_id, 0)) != wanted:
                yield f"3 run {run_id}: {have} units {state}, orders have {wanted}"
        for run_id, have in found.items():
            yield f"3 run {run_id}: {have} units {state}, and no order has them"


def purchases_have_their_units() -> Iterator[str]:
    wanted = Q(n=0, state=PurchaseState.RELEASED) | Q(
        n=F("quantity"), state__in=[PurchaseState.HELD, PurchaseState.PAID]
    )
    for purchase in FlashPurchase.objects.annotate(n=Count("units")).exclude(wanted):
        yield f"3 purchase {purchase.pk}: {purchase.state}, with other units than it bought"


def runs_took_their_units_from_the_stock() -> Iterator[str]:
    """What a product's runs took and gave back is what they have left, held or sold."""
    kinds = [StockMovement.Kind.TO_RUN, StockMovement.Kind.FROM_RUN]
    moves = StockMovement.objects.filter(kind__in=kinds).order_by().values_list("stock_id")
    moved = dict(moves.annotate(n=Sum("delta")))
    kept = FlashUnit.objects.exclude(state=UnitState.RETURNED).order_by()
    for product_id, units in kept.values_list("run__sale__product_id").annotate(n=Count("pk")):
        if moved.pop(product_id, 0) != -units:
            yield f"3 product {product_id}: runs keep {units} units, another number was moved"
    for product_id, delta in moved.items():
        if delta:
            yield f"3 product {product_id}: {-delta} units moved to no run"


def nobody_is_over_a_limit() -> Iterator[str]:
    limited = FlashUnit.objects.filter(user_id__isnull=False, run__per_user_limit__isnull=False)
    owned = limited.order_by().values("run_id", "user_id", limit=F("run__per_user_limit"))
    for row in owned.annotate(n=Count("pk")).filter(n__gt=F("limit")):
        yield f"6 run {row['run_id']}: a user has {row['n']} units, allowed are {row['limit']}"


CHECKS: Final[tuple[Callable[[], Iterator[str]], ...]] = (
    runs_have_a_row_for_each_unit,
    tallies_are_the_sums_of_units,
    units_are_what_orders_bought,
    purchases_have_their_units,
    runs_took_their_units_from_the_stock,
    nobody_is_over_a_limit,
)

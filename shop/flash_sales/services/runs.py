"""Sales and their runs: planned, changed, ended. Units come out of the stock and go back to it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from django.db import IntegrityError, transaction

from common import clock
from common.audit.services import record
from common.db import transactional
from common.errors import InvalidTransition
from common.idempotency.services import bind
from shop.catalogue import selectors as catalogue
from shop.catalogue.errors import NoSuchProduct
from shop.flash_sales import locks, rules, selectors
from shop.flash_sales.errors import (
    PromiseBroken,
    SlugTaken,
    UnknownProduct,
)
from shop.flash_sales.live import services as live
from shop.flash_sales.live.publisher import changed
from shop.flash_sales.models import FlashPurchase, FlashRun, FlashSale, FlashUnit
from shop.flash_sales.rules import RunStatus, UnitState
from shop.flash_sales.services.places import Plan, place_find, way_give
from shop.flash_sales.services.pool import units_add, units_from_stock
from shop.flash_sales.services.replan import run_replan
from shop.flash_sales.services.tally import tallies_merge, tally, tally_mend, tally_merge
from shop.inventory import services as inventory


@dataclass(frozen=True, slots=True)
class Offer:
    """What a sale offers; `price` in minor units."""

    price: int
    condition_name: str = ""
    condition_description: str = ""
    per_order_limit: int | None = None
    per_user_limit: int | None = None
    admission_rate: int | None = None


@transactional
def sale_create(
    *, slug: str, product: str, offer: Offer, plan: Plan, actor_id: int | None
) -> FlashRun:
    """A sale and its first run.

    Raises SlugTaken, UnknownProduct, and what `run_schedule` raises.
    """
    product_id = _product_id(product)
    try:
        with transaction.atomic():
            sale = FlashSale.objects.create(slug=slug, product_id=product_id, **_columns(offer))
    except IntegrityError as taken:
        raise SlugTaken from taken
    bind(f"flash_sale:{sale.pk}", status=201)
    record(actor_id=actor_id, action="flash_sale.create", target=f"flash_sale:{slug}")
    return _schedule(sale, plan, actor_id)


def _product_id(slug: str) -> int:
    try:
        return catalogue.product_get(slug).pk
    except NoSuchProduct as unknown:
        raise UnknownProduct from unknown


def _columns(offer: Offer) -> dict[str, object]:
    return {name: getattr(offer, name) for name in Offer.__slots__}


@transactional
def run_schedule(*, sale_id: int, plan: Plan, actor_id: int | None) -> FlashRun:
    """Plan another run and take its units out of the product's stock.

    Raises StartsInThePast, RunOverlaps, AllocationAboveStock.
    """
    run = _schedule(locks.sale(sale_id), plan, actor_id)
    bind(f"flash_run:{run.pk}", status=201)
    return run


def _schedule(sale: FlashSale, plan: Plan, actor_id: int | None) -> FlashRun:
    others = list(sale.runs.filter(ended_at=None).order_by("pk"))
    starts = [plan.starts_at, *(other.starts_at for other in others)]
    run = FlashRun.objects.create(
        sale=sale,
        number=selectors.next_number(sale),
        price=sale.price,
        per_order_limit=sale.per_order_limit,
        per_user_limit=sale.per_user_limit,
        allocation=plan.allocation,
        starts_at=plan.starts_at,
        ends_at=place_find(others, plan, starts).ends_at,
        open_end=plan.ends_at is None,
    )
    record(
        actor_id=actor_id,
        action="flash_run.schedule",
        target=f"flash_sale:{sale.slug}",
        data={"run": run.number, "allocation": plan.allocation},
    )
    units_add(run, first=1)
    # After the units, which take a while: who gives back a unit of a live run waits for its row.
    for other in others:
        way_give(other, starts, actor_id)
    units_from_stock(run, plan.allocation)
    changed(run.pk)
    return run


@transactional
def sale_change(*, sale_id: int, offer: Offer, actor_id: int) -> FlashSale:
    """Change what the sale offers, runs that have not ended included.

    Raises PromiseBroken where that would be worse for buyers of a live run.
    """
    sale = locks.sale(sale_id)
    for key in sale.runs.filter(ended_at=None).order_by("pk").values_list("pk", flat=True):
        _change_terms(locks.run(key), offer)
    for name, value in _columns(offer).items():
        setattr(sale, name, value)
    sale.save()
    bind(f"flash_sale:{sale.pk}", status=200)
    record(actor_id=actor_id, action="flash_sale.change", target=f"flash_sale:{sale.slug}")
    return sale


@transactional
def sale_patch(
    *,
    sale_id: int,
    changes: Mapping[str, Any],
    plan: Mapping[str, Any] | None = None,
    actor_id: int,
) -> FlashSale:
    """`sale_change` of some fields of the offer; the others stay as they are under the lock.

    `plan`: fields of `Plan` that change for the run that is live, or else the next. Raises besides
    what `run_replan` raises.
    """
    sale = locks.sale(sale_id)
    if changes or not plan:
        offer = Offer(**{name: getattr(sale, name) for name in Offer.__slots__})
        sale = sale_change(sale_id=sale_id, offer=replace(offer, **changes), actor_id=actor_id)
    if plan:
        bind(f"flash_sale:{sale.pk}", status=200)
        run_replan(sale, plan, actor_id)
    return sale


def _change_terms(run: FlashRun, offer: Offer) -> None:
    wanted = replace(
        run.terms,
        price=offer.price,
        per_order_limit=offer.per_order_limit,
        per_user_limit=offer.per_user_limit,
    )
    _check_promise(run, wanted)
    run.price, run.per_order_limit, run.per_user_limit = (
        offer.price,
        offer.per_order_limit,
        offer.per_user_limit,
    )
    run.save(update_fields=["price", "per_order_limit", "per_user_limit"])


def _check_promise(run: FlashRun, wanted: rules.Terms) -> None:
    if clock.now() >= run.starts_at and (broken := rules.broken_promise(run.terms, wanted)):
        raise PromiseBroken(broken)


@transactional
def run_end(*, run_id: int, reason: FlashRun.End, actor_id: int | None = None) -> bool:
    """End a run: its free units go back to the stock, held ones when their orders end.

    False where it has ended already.
    """
    run = locks.run(run_id)
    if run.ended_at is not None or not _may_end(run, reason):
        return False
    run.ended_at, run.end = clock.now(), reason
    run.save(update_fields=["ended_at", "end"])
    free = FlashUnit.objects.filter(run=run, state=UnitState.FREE)
    left = free.update(state=UnitState.RETURNED)
    tally(run.pk, to=UnitState.RETURNED, count=left)
    # Statistics keep what an ended run was.
    tally_mend(run.pk)
    tally_merge(run.pk)
    if left:
        inventory.stock_from_run(product_id=run.sale.product_id, quantity=left, reason=str(run))
    record(
        actor_id=actor_id,
        action="flash_run.end",
        target=f"flash_sale:{run.sale.slug}",
        data={"run": run.number, "reason": reason, "returned": left},
    )
    changed(run.pk)
    return True


def _may_end(run: FlashRun, reason: FlashRun.End) -> bool:
    """What the sweep has read may have changed before it got the lock."""
    if reason == FlashRun.End.STAFF:
        return True
    return run.window.is_over(clock.now()) or selectors.is_all_paid(run.pk)


@transactional
def sale_end(*, sale_id: int, actor_id: int) -> FlashRun:
    """Staff end the run that is open, or else call off the next. Raises InvalidTransition."""
    sale = locks.sale(sale_id)
    now = clock.now()
    # One whose time is over has ended, though no sweep has come by.
    planned = sale.runs.filter(ended_at=None).order_by("starts_at")
    run = next((run for run in planned if not run.window.is_over(now)), None)
    if run is None:
        raise InvalidTransition("sale", RunStatus.ENDED, RunStatus.ENDED)
    bind(f"flash_run:{run.pk}", status=200)
    run_end(run_id=run.pk, reason=FlashRun.End.STAFF, actor_id=actor_id)
    return run


def runs_sweep() -> int:
    """End the runs that are over, give purchases their positions, confirm the published figures.

    How many ended.
    """
    for run_id in selectors.runs_with_unplaced():
        positions_give(run_id=run_id)
    ended = sum(_end(run_id) for run_id in selectors.runs_to_end())
    live.figures_confirm()
    tallies_merge()
    return ended


def _end(run_id: int) -> bool:
    run = FlashRun.objects.get(pk=run_id)
    by_time = run.ends_at is not None and run.window.is_over(clock.now())
    return run_end(run_id=run_id, reason=FlashRun.End.TIME if by_time else FlashRun.End.SOLD)


@transactional
def positions_give(*, run_id: int) -> int:
    """Give paid purchases the next positions of the leaderboard; how many.

    Given once and never moved; the unique key makes sure of it.
    """
    unplaced = locks.unplaced_purchases(run_id)
    first = selectors.last_position(run_id) + 1
    for position, purchase in enumerate(unplaced, start=first):
        purchase.position = position
    return FlashPurchase.objects.bulk_update(unplaced, ["position"], batch_size=100)

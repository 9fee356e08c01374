"""A run that is planned or live, held at another time or with another number of units.

In the caller's transaction, which has locked the sale: no other run of it is planned or changed
meanwhile. The run's row is held alone, so that its buyers come before the change or after it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from common import clock
from common.audit.services import record
from shop.flash_sales import locks, rules, selectors
from shop.flash_sales.errors import (
    NoRunToChange,
    PromiseBroken,
    StartsInThePast,
    WindowReversed,
)
from shop.flash_sales.live.publisher import changed
from shop.flash_sales.models import FlashRun, FlashSale
from shop.flash_sales.rules import Window
from shop.flash_sales.services.gate import gate_forget
from shop.flash_sales.services.places import Plan, overlaps_check, way_give
from shop.flash_sales.services.pool import units_add, units_drop, units_from_stock, units_to_stock


def run_replan(sale: FlashSale, changes: Mapping[str, Any], actor_id: int) -> None:
    """Change fields of `Plan` of the live run, or else of the next.

    Raises NoRunToChange, PromiseBroken where the run is live, StartsInThePast, WindowReversed,
    RunOverlaps, AllocationAboveStock.
    """
    run, now = _at_hand(sale)
    planned = _plan(run)
    wanted = replace(planned, **changes)
    if wanted == planned:
        return
    others = _others(run, now)
    window = _window(run, wanted, others)
    _check_terms(run, replace(wanted, ends_at=window.ends_at), now)
    if window != run.window:
        overlaps_check(others, window, _starts(window, others))
    _write(run, wanted, window, others, actor_id)
    gate_forget(run.pk)
    changed(run.pk)


def _at_hand(sale: FlashSale) -> tuple[FlashRun, datetime]:
    """The live run, or else the next, locked; and a moment after that."""
    keys = sale.runs.filter(ended_at=None).order_by("starts_at", "pk").values_list("pk", flat=True)
    for key in list(keys):
        run, now = locks.run(key), clock.now()
        if not (run.window.is_over(now) or selectors.is_all_paid(run.pk)):
            run.sale = sale
            return run, now
    raise NoRunToChange


def _plan(run: FlashRun) -> Plan:
    return Plan(run.allocation, run.starts_at, run.planned_window.ends_at)


def _others(run: FlashRun, now: datetime) -> list[FlashRun]:
    """Runs of the sale that may yet sell: with another end, one that is over would open again."""
    found = run.sale.runs.filter(ended_at=None).exclude(pk=run.pk).order_by("pk")
    return [other for other in found if not other.window.is_over(now)]


def _window(run: FlashRun, wanted: Plan, others: Sequence[FlashRun]) -> Window:
    if replace(wanted, allocation=run.allocation) == _plan(run):
        return run.window
    window = Window(wanted.starts_at, wanted.ends_at)
    return window.among(_starts(window, others))


def _starts(window: Window, others: Sequence[FlashRun]) -> list[datetime]:
    return [window.starts_at, *(other.starts_at for other in others)]


def _check_terms(run: FlashRun, wanted: Plan, now: datetime) -> None:
    if now >= run.starts_at:
        terms = {name: getattr(wanted, name) for name in Plan.__slots__}
        if broken := rules.broken_promise(run.terms, replace(run.terms, **terms)):
            raise PromiseBroken(broken)
    elif wanted.starts_at <= now:
        raise StartsInThePast
    if wanted.ends_at is not None and wanted.ends_at <= wanted.starts_at:
        raise WindowReversed


def _write(
    run: FlashRun, wanted: Plan, window: Window, others: Sequence[FlashRun], actor_id: int
) -> None:
    """Locks: units, runs that give way, stock row."""
    had, left = run.allocation, run.starts_at
    run.allocation, run.open_end = wanted.allocation, wanted.ends_at is None
    run.starts_at, run.ends_at = window.starts_at, window.ends_at
    run.save(update_fields=["allocation", "open_end", "starts_at", "ends_at"])
    _renumber(run, had)
    for other in others if run.starts_at != left else ():
        way_give(other, _starts(window, others), actor_id, left=left)
    if run.allocation > had:
        units_from_stock(run, run.allocation - had)
    elif run.allocation < had:
        units_to_stock(run, had - run.allocation)
    record(
        actor_id=actor_id,
        action="flash_run.change",
        target=f"flash_sale:{run.sale.slug}",
        data={"run": run.number, **_facts(run)},
    )


def _renumber(run: FlashRun, had: int) -> None:
    """A row for each unit again."""
    if run.allocation > had:
        units_add(run, first=had + 1)
    elif units_drop(run, had) != had - run.allocation:
        raise PromiseBroken("allocation")


def _facts(run: FlashRun) -> dict[str, object]:
    return {
        "allocation": run.allocation,
        "starts_at": run.starts_at.isoformat(),
        "ends_at": run.ends_at and run.ends_at.isoformat(),
    }

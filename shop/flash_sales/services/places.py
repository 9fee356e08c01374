"""When a sale's runs are held: each has its place beside the others."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from common import clock
from common.audit.services import record
from shop.flash_sales import locks
from shop.flash_sales.errors import RunOverlaps, StartsInThePast
from shop.flash_sales.models import FlashRun
from shop.flash_sales.rules import Window


@dataclass(frozen=True, slots=True)
class Plan:
    """When a run is held and with how many units.

    Without an end it lasts until all are sold, or until the sale's next run starts.
    """

    allocation: int
    starts_at: datetime
    ends_at: datetime | None = None


def place_find(others: Sequence[FlashRun], plan: Plan, starts: Sequence[datetime]) -> Window:
    """The plan's window between the sale's other runs; an open end gives way to the next start.

    Raises StartsInThePast, RunOverlaps.
    """
    if plan.starts_at <= clock.now():
        raise StartsInThePast
    wanted = Window(plan.starts_at, plan.ends_at).among(starts)
    overlaps_check(others, wanted, starts)
    return wanted


def overlaps_check(others: Sequence[FlashRun], wanted: Window, starts: Sequence[datetime]) -> None:
    """Raises RunOverlaps."""
    for other in others:
        if other.planned_window.among(starts).overlaps(wanted):
            raise RunOverlaps(other.number)


def way_give(
    other: FlashRun,
    starts: Sequence[datetime],
    actor_id: int | None,
    *,
    left: datetime | None = None,
) -> None:
    """Have an open end be the start of the next run; `left`: a start that is none any more."""
    ends_at = other.planned_window.among(starts).ends_at
    if ends_at == other.ends_at or (ends_at is None and other.ends_at != left):
        return
    run = locks.run(other.pk)
    run.ends_at = ends_at
    run.save(update_fields=["ends_at"])
    record(
        actor_id=actor_id,
        action="flash_run.bound",
        target=f"flash_sale:{run.sale.slug}",
        data={"run": run.number, "ends_at": ends_at and ends_at.isoformat()},
    )

"""Schedules: made, stopped, and their runs planned ahead, each once."""

import logging
from contextlib import suppress
from datetime import timedelta

from django.db import IntegrityError, transaction

from common import clock
from common.audit.services import record
from common.db import transactional
from common.errors import Busy
from common.idempotency.services import bind
from shop.flash_sales import services as flash_sales
from shop.flash_sales.errors import AllocationAboveStock, RunOverlaps, StartsInThePast
from shop.flash_sales.models import FlashRun
from shop.flash_sales.services import Plan
from shop.flash_schedules import locks, selectors
from shop.flash_schedules.errors import NeverHeld
from shop.flash_schedules.models import FlashOccurrence, FlashSchedule
from shop.flash_schedules.rules import Rule

logger = logging.getLogger(__name__)
State = FlashOccurrence.State


@transactional
def schedule_create(
    *, sale_id: int, rule: Rule, allocation: int, run_minutes: int | None, actor_id: int | None
) -> FlashSchedule:
    """Have a sale held again by a rule; its runs are planned by `schedules_plan`.

    Raises NeverHeld.
    """
    now = clock.now()
    if not rule.following(now, 1):
        raise NeverHeld
    schedule = FlashSchedule.objects.create(
        sale_id=sale_id,
        rule=rule.as_json(),
        allocation=allocation,
        run_minutes=run_minutes,
        since=now,
    )
    bind(f"flash_schedule:{schedule.pk}", status=201)
    _audit(schedule, "create", actor_id, schedule.rule | {"allocation": allocation})
    return schedule


def _audit(
    schedule: FlashSchedule, verb: str, actor_id: int | None, data: dict[str, object]
) -> None:
    record(
        actor_id=actor_id,
        action=f"flash_schedule.{verb}",
        target=f"flash_sale:{schedule.sale.slug}",
        data={"schedule": str(schedule.uid), **data},
    )


@transactional
def schedule_switch(*, schedule_id: int, active: bool, actor_id: int) -> bool:
    """Stop a schedule, or let it go on from now; False where it is so already.

    Runs that are planned stay planned.
    """
    schedule = locks.schedule(schedule_id)
    if schedule.active == active:
        return False
    schedule.active, schedule.since = active, clock.now()
    schedule.save(update_fields=["active", "since"])
    schedule.occurrences.filter(state=State.WAITING).delete()
    _audit(schedule, "start" if active else "stop", actor_id, {})
    return True


def schedules_plan() -> int:
    """Plan the runs whose time has come near, and try again those that were refused; how many."""
    for schedule_id in selectors.active_ids():
        _add_moments(schedule_id)
    return sum(occurrence_plan(occurrence_id=pk) for pk in selectors.waiting_ids())


@transactional
def _add_moments(schedule_id: int) -> None:
    schedule = locks.schedule(schedule_id)
    if not schedule.active:
        return
    for moment in selectors.moments_to_add(schedule, clock.now()):
        # Another schedule of the sale may want it at this moment: it is held once.
        with suppress(IntegrityError), transaction.atomic():
            FlashOccurrence.objects.create(
                schedule=schedule, sale_id=schedule.sale_id, scheduled_for=moment
            )


def occurrence_plan(*, occurrence_id: int) -> bool:
    """Plan the run of a moment; False where it has one, or was refused one."""
    try:
        return _plan(occurrence_id)
    except Busy:  # its turn comes again
        return False


@transactional
def _plan(occurrence_id: int) -> bool:
    found = locks.occurrence(occurrence_id)
    if found is None or found.state != State.WAITING:
        return False
    try:
        with transaction.atomic():
            found.run = _run(found)
    except StartsInThePast:
        _refused(found, State.MISSED, found.problem or "too_late", found.detail)
        return False
    except (RunOverlaps, AllocationAboveStock) as refusal:
        _refused(found, State.WAITING, refusal.code, refusal.detail)
        return False
    found.state, found.problem, found.detail = State.PLANNED, "", ""
    found.save()
    return True


def _run(found: FlashOccurrence) -> FlashRun:
    schedule, starts_at = found.schedule, found.scheduled_for
    minutes = schedule.run_minutes
    ends_at = None if minutes is None else starts_at + timedelta(minutes=minutes)
    plan = Plan(schedule.allocation, starts_at, ends_at)
    return flash_sales.run_schedule(sale_id=found.sale_id, plan=plan, actor_id=None)


def _refused(found: FlashOccurrence, state: State, problem: str, detail: str) -> None:
    """Written down for staff; in the audit log once, however often it is tried again."""
    if (found.state, found.problem) != (state, problem):
        data: dict[str, object] = {"scheduled_for": str(found), "state": state, "problem": problem}
        _audit(found.schedule, "refused", None, data)
        logger.warning("flash.run_not_planned", extra={"code": problem, "outcome": state})
    found.state, found.problem, found.detail = state, problem, detail
    found.tries += 1
    found.save()

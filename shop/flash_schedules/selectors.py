"""Reads of schedules."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.db.models import Prefetch, QuerySet

from common import clock
from shop.flash_sales.selectors import sale_get
from shop.flash_schedules.errors import NoSuchSchedule
from shop.flash_schedules.models import FlashOccurrence, FlashSchedule

# Moments that nobody was there for are written down as missed, as far back as this.
LOOK_BACK: Final = timedelta(days=7)
LATEST: Final = 10
NEXT: Final = 3


def schedules_of(slug: str) -> QuerySet[FlashSchedule]:
    """With the newest of their moments. Raises NoSuchSale."""
    return with_latest(FlashSchedule.objects.filter(sale=sale_get(slug)))


def with_latest(schedules: QuerySet[FlashSchedule]) -> QuerySet[FlashSchedule]:
    newest = FlashOccurrence.objects.select_related("run").order_by("-scheduled_for")[:LATEST]
    return schedules.prefetch_related(Prefetch("occurrences", newest, to_attr="latest"))


def schedule_get(slug: str, uid: object) -> FlashSchedule:
    """Raises NoSuchSale, NoSuchSchedule."""
    found = schedules_of(slug).filter(uid=str(uid)).first()
    if found is None:
        raise NoSuchSchedule
    return found


def schedule_by_id(pk: int) -> FlashSchedule:
    return with_latest(FlashSchedule.objects.filter(pk=pk)).get()


def next_moments(schedules: Iterable[FlashSchedule]) -> dict[str, Any]:
    """When each active schedule is next due, by its key; reads the clock once."""
    now = clock.now()
    return {"next": {each.pk: next_of(each, now) for each in schedules}}


def next_of(schedule: FlashSchedule, now: datetime) -> list[datetime]:
    return schedule.parsed.following(now, NEXT) if schedule.active else []


def active_ids() -> list[int]:
    found = FlashSchedule.objects.filter(active=True).order_by("pk")
    return list(found.values_list("pk", flat=True))


def moments_to_add(schedule: FlashSchedule, now: datetime) -> list[datetime]:
    """Those that have come near and that the sale has no row for."""
    until = now + timedelta(seconds=settings.FLASH_SCHEDULE_AHEAD_SECONDS)
    due = schedule.parsed.between(max(schedule.since, now - LOOK_BACK), until)
    known = FlashOccurrence.objects.filter(sale_id=schedule.sale_id, scheduled_for__in=due)
    there = {*known.values_list("scheduled_for", flat=True)}
    return [moment for moment in due if moment not in there]


def waiting_ids() -> list[int]:
    waiting = FlashOccurrence.objects.filter(state=FlashOccurrence.State.WAITING)
    return list(waiting.order_by("scheduled_for", "pk").values_list("pk", flat=True))

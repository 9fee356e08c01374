"""Schedules plan their runs ahead, once each, and say why where they cannot."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.db.models import F

from common import clock
from common.models import AuditEntry
from config import flash_demo, invariants
from shop.flash_sales import services as flash_sales
from shop.flash_sales.models import FlashRun, FlashSale
from shop.flash_schedules import selectors, services
from shop.flash_schedules.errors import NeverHeld
from shop.flash_schedules.models import FlashOccurrence, FlashSchedule
from shop.flash_schedules.rules import Dates
from shop.inventory.services import stock_adjust
from shop.models import Stock
from tests.factories.flash import HOUR, daily, live_run, planned_run
from tests.factories.orders import own_rollbacks, settled  # noqa: F401
from tests.factories.seeds import seeds  # noqa: F401
from tests.factories.users import StaffFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_rollbacks", "settled")]


def numbers(sale: FlashSale) -> list[int]:
    return list(sale.runs.order_by("number").values_list("number", flat=True))


def states(schedule: FlashSchedule) -> list[tuple[str, str]]:
    found = schedule.occurrences.order_by("scheduled_for")
    return list(found.values_list("state", "problem"))


def hours_ahead(sale: FlashSale, *hours: float, units: int = 1) -> FlashSchedule:
    now = clock.now()
    return services.schedule_create(
        sale_id=sale.pk,
        rule=Dates(tuple(now + number * HOUR for number in hours)),
        allocation=units,
        run_minutes=30,
        actor_id=None,
    )


def test_a_run_is_planned_a_day_ahead_with_a_fresh_allocation() -> None:
    run = live_run(units=2, stock=9, ends=True)
    schedule = hours_ahead(run.sale, 3, 25, units=4)
    assert services.schedules_plan() == 1
    planned = FlashRun.objects.get(number=2)
    assert planned.ends_at is not None
    assert (planned.allocation, planned.ends_at - planned.starts_at) == (4, HOUR / 2)
    assert states(schedule) == [("planned", "")]
    assert schedule.occurrences.get().run == planned
    assert Stock.objects.get(product=run.sale.product).on_hand == 3


def test_looked_at_again_and_again_it_is_planned_once() -> None:
    run = live_run(units=1, stock=9, ends=True)
    daily(run.sale)
    assert [services.schedules_plan() for _ in range(3)] == [1, 0, 0]
    assert numbers(run.sale) == [1, 2]


def test_two_schedules_that_want_the_same_moment_have_one_run() -> None:
    run = live_run(units=1, stock=9, ends=True)
    moment = clock.now() + 5 * HOUR
    for _ in range(2):
        services.schedule_create(
            sale_id=run.sale_id,
            rule=Dates((moment,)),
            allocation=1,
            run_minutes=30,
            actor_id=None,
        )
    services.schedules_plan()
    assert numbers(run.sale) == [1, 2]


def test_the_database_refuses_a_second_run_for_a_moment() -> None:
    schedule = hours_ahead(live_run(units=1, stock=9, ends=True).sale, 3)
    services.schedules_plan()
    moment = schedule.occurrences.get().scheduled_for
    with pytest.raises(IntegrityError), transaction.atomic():
        FlashOccurrence.objects.create(
            schedule=schedule, sale_id=schedule.sale_id, scheduled_for=moment
        )


def test_short_stock_is_shown_and_the_run_planned_once_there_is_enough() -> None:
    run = live_run(units=2, stock=3, ends=True)
    schedule = hours_ahead(run.sale, 3, units=4)
    for _ in range(2):
        assert services.schedules_plan() == 0
    assert states(schedule) == [("waiting", "allocation_above_stock")]
    assert "1 units are available and 4" in schedule.occurrences.get().detail
    assert schedule.occurrences.get().tries == 2
    assert AuditEntry.objects.filter(action="flash_schedule.refused").count() == 1
    stock_adjust(product_id=run.sale.product_id, delta=3, reason="delivery", actor_id=None)
    assert services.schedules_plan() == 1
    assert states(schedule) == [("planned", "")]
    assert invariants.breaches() == []


def test_one_that_never_had_its_units_is_missed_and_says_why() -> None:
    run = live_run(units=2, stock=2, ends=True)
    schedule = hours_ahead(run.sale, 3)
    services.schedules_plan()
    gone = clock.now()
    schedule.occurrences.update(scheduled_for=gone)
    FlashSchedule.objects.update(rule=Dates((gone,)).as_json())
    assert services.schedules_plan() == 0
    assert states(schedule) == [("missed", "allocation_above_stock")]
    assert numbers(run.sale) == [1]


def test_a_moment_when_no_worker_was_there_is_missed_not_forgotten() -> None:
    run = live_run(units=1, stock=9, ends=True)
    schedule = daily(run.sale)
    day, first = timedelta(days=1), str(clock.now().date() - timedelta(days=4))
    schedule.rule["first_on"] = first
    schedule.since = F("since") - 3 * day
    schedule.save()
    services.schedules_plan()
    assert states(schedule) == [("missed", "too_late")] * 3 + [("planned", "")]


def test_another_run_at_that_time_is_shown_as_the_reason() -> None:
    run = planned_run(units=1, stock=9, ends=True)
    schedule = hours_ahead(run.sale, 1.5)
    services.schedules_plan()
    assert states(schedule) == [("waiting", "run_overlaps")]
    flash_sales.sale_end(sale_id=run.sale_id, actor_id=StaffFactory().pk)
    services.schedules_plan()
    assert states(schedule) == [("planned", "")]


def test_a_stopped_schedule_plans_nothing_and_goes_on_from_where_it_is() -> None:
    run, staff = live_run(units=1, stock=1, ends=True), StaffFactory()
    schedule = daily(run.sale)
    services.schedules_plan()
    switch = {"schedule_id": schedule.pk, "actor_id": staff.pk}
    assert services.schedule_switch(active=False, **switch)
    assert not services.schedule_switch(active=False, **switch)
    stock_adjust(product_id=run.sale.product_id, delta=3, reason="delivery", actor_id=None)
    services.schedules_plan()
    assert (numbers(run.sale), states(schedule)) == ([1], [])
    assert services.schedule_switch(active=True, **switch)
    services.schedules_plan()
    assert (numbers(run.sale), states(schedule)) == ([1, 2], [("planned", "")])
    acts = AuditEntry.objects.filter(actor_id=staff.pk).order_by("pk")
    assert list(acts.values_list("action", flat=True)) == [
        "flash_schedule.stop",
        "flash_schedule.start",
    ]


def test_a_schedule_without_a_moment_to_come_is_refused() -> None:
    with pytest.raises(NeverHeld):
        hours_ahead(live_run(units=1).sale, -1)


def test_an_open_ended_daily_sale_is_held_day_after_day() -> None:
    run = live_run(units=1, stock=3)
    schedule = daily(run.sale)
    FlashSchedule.objects.update(run_minutes=None)
    services.schedules_plan()
    run.refresh_from_db()
    assert run.ends_at == schedule.occurrences.get().scheduled_for
    assert run.open_end


@pytest.mark.usefixtures("seeds")
def test_the_demo_has_tomorrows_run_planned_as_well() -> None:
    first = flash_demo.run_ensure()
    assert first is not None
    assert flash_demo.run_ensure() is None
    services.schedules_plan()
    assert numbers(first.sale) == [1]
    FlashSchedule.objects.update(since=F("since") - timedelta(days=2))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clock, "now", lambda: first.starts_at + HOUR)
        services.schedules_plan()
    second = FlashRun.objects.get(number=2)
    assert (second.starts_at - first.starts_at).days in (0, 1)
    assert (second.allocation, second.starts_at.date()) == (
        200,
        (first.starts_at + timedelta(days=1)).date(),
    )


def test_moments_of_the_next_days_are_shown(settings: Any) -> None:
    schedule = daily(live_run(units=1, stock=9, ends=True).sale)
    found = selectors.next_moments([schedule])["next"][schedule.pk]
    assert len(found) == 3
    schedule.active = False
    assert selectors.next_moments([schedule])["next"][schedule.pk] == []

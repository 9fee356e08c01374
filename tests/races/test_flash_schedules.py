"""Several workers look at the same schedule: one run for each moment."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection

from config import invariants
from shop.flash_schedules import locks, selectors, services
from shop.flash_schedules.models import FlashOccurrence, FlashSchedule
from tests.factories.flash import daily, live_run
from tests.races.parallel import in_parallel

pytestmark = pytest.mark.django_db(transaction=True)


def due() -> FlashSchedule:
    return daily(live_run(units=1, stock=9, ends=True).sale)


def outcome(schedule: FlashSchedule) -> tuple[int, list[tuple[str, str]]]:
    states = schedule.occurrences.values_list("state", "problem")
    return schedule.sale.runs.count(), list(states)


@pytest.mark.proof(
    "Schedules: one run for a moment, however many workers",
    size="8 workers at once",
    control="test_control_without_the_lock_a_planned_moment_is_forgotten",
    runs=20,
)
def test_eight_workers_plan_one_run() -> None:
    schedule = due()
    answers = in_parallel([services.schedules_plan] * 8)
    assert sorted(answers) == [0] * 7 + [1]
    assert outcome(schedule) == (2, [("planned", "")])
    assert invariants.breaches() == []


def test_control_without_the_lock_a_planned_moment_is_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The second of two is refused by the first one's run, and writes that down over it."""
    schedule, both = due(), threading.Barrier(2)
    services._add_moments(schedule.pk)

    def unlocked(pk: int) -> FlashOccurrence:
        found = FlashOccurrence.objects.get(pk=pk)
        both.wait(60)
        return found

    monkeypatch.setattr(locks, "occurrence", unlocked)
    [moment] = selectors.waiting_ids()
    in_parallel([lambda: services.occurrence_plan(occurrence_id=moment)] * 2)
    assert outcome(schedule)[1] != [("planned", "")]


def both_have_looked(schedule: FlashSchedule, monkeypatch: pytest.MonkeyPatch) -> int:
    """Two beats that have both looked before either wrote: how many moments there are then."""
    once = selectors.moments_to_add
    monkeypatch.setattr(locks, "schedule", lambda pk: FlashSchedule.objects.get(pk=pk))
    both = threading.Barrier(2)

    def looked(*args: Any) -> Any:
        found = once(*args)
        both.wait(60)
        return found

    monkeypatch.setattr(selectors, "moments_to_add", looked)
    in_parallel([lambda: services._add_moments(schedule.pk)] * 2)
    return schedule.occurrences.count()


def test_two_beats_that_look_at_once_write_one_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert both_have_looked(due(), monkeypatch) == 1


@pytest.fixture
def _no_key() -> Iterator[None]:
    [key] = (c for c in FlashOccurrence._meta.constraints if c.name == "flash_occurrence_once")
    with connection.schema_editor() as editor:
        editor.remove_constraint(FlashOccurrence, key)
    yield
    FlashOccurrence.objects.all().delete()
    with connection.schema_editor() as editor:
        editor.add_constraint(FlashOccurrence, key)


@pytest.mark.usefixtures("_no_key")
def test_control_without_the_key_they_write_two(monkeypatch: pytest.MonkeyPatch) -> None:
    assert both_have_looked(due(), monkeypatch) == 2

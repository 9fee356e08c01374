"""Runs beside each other, the end of one that is all paid, and what is left to a user."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from common import clock
from common.models import AuditEntry
from config import invariants
from shop.flash_sales import errors, rules, selectors, services
from shop.flash_sales.errors import SaleNotStarted
from shop.flash_sales.models import FlashRun, FlashUnit
from shop.flash_sales.rules import Counts
from shop.flash_sales.services import Plan
from tests.factories.flash import HOUR, buy, live_run, pay, planned_run
from tests.factories.orders import own_rollbacks, settled  # noqa: F401
from tests.sizes import sized

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.usefixtures("own_rollbacks", "settled", "no_stripe"),
]

LARGEST = sized(20_000, rules.MAX_ALLOCATION)


def plan(run: FlashRun, **how: Any) -> FlashRun:
    return services.run_schedule(sale_id=run.sale_id, plan=Plan(1, **how), actor_id=None)


def test_a_run_without_an_end_ends_when_the_next_one_starts() -> None:
    first = live_run(units=1, stock=9)
    starts_at = clock.now() + HOUR
    second = plan(first, starts_at=starts_at)
    first.refresh_from_db()
    assert (first.ends_at, second.ends_at) == (starts_at, None)
    assert AuditEntry.objects.get(action="flash_run.bound").data["run"] == 1
    assert buy(first).run == first


def test_a_run_planned_before_another_ends_when_that_one_starts() -> None:
    later = planned_run(units=1, stock=9)
    earlier = plan(later, starts_at=later.starts_at - HOUR / 2)
    later.refresh_from_db()
    assert (earlier.ends_at, later.ends_at) == (later.starts_at, None)


def test_of_several_later_runs_the_first_one_counts() -> None:
    run = planned_run(units=1, stock=9)
    third = plan(run, starts_at=run.starts_at + 2 * HOUR)
    second = plan(run, starts_at=run.starts_at + HOUR)
    ends = [FlashRun.objects.get(pk=each.pk).ends_at for each in (run, second, third)]
    assert ends == [second.starts_at, third.starts_at, None]


def test_a_run_with_an_end_of_its_own_is_not_cut_short() -> None:
    timed = planned_run(units=1, stock=9, ends=True)
    with pytest.raises(errors.RunOverlaps):
        plan(timed, starts_at=timed.starts_at + HOUR / 2)
    with pytest.raises(errors.RunOverlaps):
        plan(timed, starts_at=timed.starts_at - HOUR / 2, ends_at=timed.ends_at)
    timed.refresh_from_db()
    assert timed.ends_at == timed.starts_at + HOUR


def test_a_run_that_is_all_paid_has_ended_before_any_sweep() -> None:
    run = live_run(units=2, per_user_limit=1)
    first = buy(run)
    pay(first)
    held = buy(run)
    with pytest.raises(errors.SoldOut):
        buy(run)
    pay(held)
    with pytest.raises(errors.SaleEnded):
        buy(run)
    with pytest.raises(errors.SaleEnded):
        buy(run, user_id=first.placed.order.user_id)


def test_after_a_run_that_is_all_paid_buyers_are_told_of_the_next() -> None:
    run = live_run(units=1, stock=2)
    second = plan(run, starts_at=clock.now() + HOUR)
    pay(buy(run))
    with pytest.raises(errors.SaleNotStarted) as told:
        buy(run)
    moment = second.starts_at.isoformat().replace("+00:00", "Z")
    assert told.value.extra["starts_at"] == moment


@pytest.mark.parametrize("count", [1, 100, 101, 10_001])
def test_units_are_numbered_from_one_without_a_gap(count: int) -> None:
    run = planned_run(units=count)
    numbers = FlashUnit.objects.filter(run=run).order_by("number")
    assert list(numbers.values_list("number", flat=True)) == list(range(1, count + 1))
    assert selectors.unit_counts([run.pk])[run.pk] == Counts(count, 0, 0, 0)


def test_the_largest_run_is_planned_by_one_statement_for_ten_thousand_and_called_off() -> None:
    with CaptureQueriesContext(connection) as caught:
        run = planned_run(units=LARGEST)
    inserts = [each["sql"] for each in caught if "WITH RECURSIVE" in each["sql"]]
    assert (len(inserts), len(caught) < 40) == (LARGEST // 10_000, True)
    assert selectors.unit_counts([run.pk])[run.pk].free == LARGEST
    services.run_end(run_id=run.pk, reason=FlashRun.End.STAFF)
    assert selectors.unit_counts([run.pk])[run.pk].returned == LARGEST
    assert invariants.breaches() == []


def test_a_run_that_starts_between_two_looks_at_the_clock_has_not_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = live_run(units=1)
    monkeypatch.setattr(clock, "now", lambda: run.starts_at - timedelta(milliseconds=1))
    with pytest.raises(SaleNotStarted) as early:
        selectors.run_to_buy(run.sale)
    assert (early.value.starts_at, early.value.seconds) == (run.starts_at, 0)

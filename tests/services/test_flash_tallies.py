"""Units by state as a sum of what each transaction changed."""

from datetime import timedelta
from importlib import import_module
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import F

from config import invariants
from payments.checkout import services as checkout
from shop.flash_sales import selectors, services
from shop.flash_sales.models import FlashRun, FlashTally
from shop.flash_sales.rules import Counts, UnitState
from shop.flash_sales.selectors import Gap
from shop.flash_sales.services import tally as tallies
from shop.statistics import services as sales
from shop.statistics.models import RunSales
from tests.factories.flash import buy, live_run, pay
from tests.factories.orders import own_rollbacks, settled  # noqa: F401

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.usefixtures("own_rollbacks", "settled", "no_stripe"),
]


def used_run() -> FlashRun:
    """Of ten units two are sold, one is held; three more were held and given up."""
    run = live_run(units=10)
    pay(buy(run, 2))
    gone = buy(run, 3).placed.order
    buy(run)
    checkout.order_cancel(order_id=gone.pk, actor_id=gone.user_id)
    return run


def counts(run: FlashRun) -> Counts:
    return selectors.unit_counts([run.pk])[run.pk]


def rows(run: FlashRun) -> int:
    return FlashTally.objects.filter(run=run).count()


def test_the_sum_is_what_a_look_at_each_unit_says() -> None:
    run = used_run()
    assert counts(run) == selectors.units_counted([run.pk])[run.pk] == Counts(7, 1, 2, 0)
    services.run_end(run_id=run.pk, reason=FlashRun.End.STAFF)
    assert counts(run) == selectors.units_counted([run.pk])[run.pk] == Counts(0, 1, 2, 7)
    assert selectors.tally_gaps() == {}


def test_a_run_from_which_nobody_has_bought_has_no_row() -> None:
    run = live_run(units=4)
    assert (rows(run), counts(run)) == (0, Counts(4, 0, 0, 0))


def test_many_rows_become_one(monkeypatch: pytest.MonkeyPatch) -> None:
    run, other = used_run(), live_run(units=4)
    buy(other)
    assert (tallies.tallies_merge(), rows(run)) == (0, 5)
    monkeypatch.setattr(tallies, "MOST", 4)
    before = counts(run)
    assert tallies.tallies_merge() == 1
    assert (rows(run), rows(other), counts(run)) == (1, 1, before)
    services.runs_sweep()
    assert (rows(run), counts(run)) == (1, before)


def test_what_moves_nowhere_is_not_written() -> None:
    run = live_run(units=4)
    tallies.tally(run.pk, to=UnitState.SOLD, count=2, were=[UnitState.SOLD, UnitState.SOLD])
    tallies.tally(run.pk, to=UnitState.FREE, count=2)
    assert rows(run) == 0


def a_process_of_before(run: FlashRun) -> None:
    """It changes units, and knows of no tallies."""
    FlashTally.objects.filter(run=run, sold__gt=0).delete()


def test_what_another_version_left_out_is_found_and_added() -> None:
    run, right = used_run(), used_run()
    a_process_of_before(run)
    assert selectors.tally_gaps() == {run.pk: Gap(held=-2, sold=2, returned=0)}
    assert [line for line in invariants.breaches() if line.startswith(f"3 run {run.pk}: ")]
    with pytest.raises(CommandError, match="1 differences"):
        call_command("rebuild_statistics", check=True, stdout=StringIO(), stderr=StringIO())
    assert [services.tallies_mend(), services.tallies_mend()] == [1, 0]
    assert counts(run) == counts(right)
    assert invariants.breaches() == []


def test_statistics_go_on_beside_wrong_tallies_and_are_right_once_they_are_mended() -> None:
    """A process of before has held units, and one of now gives them back."""
    run = used_run()
    FlashTally.objects.create(run=run, held=-2)
    assert counts(run).held < 0
    FlashRun.objects.filter(pk=run.pk).update(starts_at=F("starts_at") - timedelta(minutes=1))
    sales.sales_count()
    kept = RunSales.objects.get(run=run).counts
    assert kept == selectors.units_counted([run.pk])[run.pk]
    call_command("rebuild_statistics", stdout=StringIO())
    assert counts(run) == kept
    call_command("rebuild_statistics", check=True, stdout=StringIO())


def test_the_end_of_a_run_makes_its_tallies_one_and_right() -> None:
    run = used_run()
    FlashTally.objects.create(run=run, held=-2)
    services.run_end(run_id=run.pk, reason=FlashRun.End.STAFF)
    assert (rows(run), counts(run)) == (1, Counts(0, 1, 2, 7))


def test_the_table_is_filled_from_the_units_of_runs_that_were_there() -> None:
    run = used_run()
    before = counts(run)
    FlashTally.objects.all().delete()
    with connection.cursor() as cursor:
        cursor.execute(import_module("shop.migrations.0013_tally_what_is_sold").FILL)
    assert (rows(run), counts(run)) == (1, before)

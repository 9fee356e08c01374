"""A crowd buys while staff change the number of units at the start, with what the lock is for."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from common import clock
from config import invariants
from payments.checkout import services as checkout
from shop.flash_sales import locks, services
from shop.flash_sales.errors import SaleEnded, SaleNotStarted
from shop.flash_sales.models import FlashRun, FlashUnit
from shop.flash_sales.rules import UnitState
from shop.flash_sales.services import replan
from tests.factories.flash import live_run, planned_run
from tests.factories.users import StaffFactory, UserFactory
from tests.races.parallel import in_parallel

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_stripe")]


def starting(*, units: int, stock: int, seconds: float) -> FlashRun:
    run = planned_run(units=units, stock=stock)
    run.starts_at = clock.now() + timedelta(seconds=seconds)
    run.save(update_fields=["starts_at"])
    return run


def taken(run: FlashRun) -> int:
    return FlashUnit.objects.filter(run=run).exclude(state=UnitState.FREE).count()


def staff_change(run: FlashRun, **plan: Any) -> Callable[[], Any]:
    actor = StaffFactory().pk
    return lambda: services.sale_patch(sale_id=run.sale_id, changes={}, plan=plan, actor_id=actor)


def buyer(run: FlashRun, done: Callable[[], None] = lambda: None) -> Callable[[], Any]:
    """Somebody who asks until the sale has started."""
    user_id, slug = UserFactory().pk, run.sale.slug

    def call() -> Any:
        while True:
            try:
                return checkout.flash_purchase(
                    user_id=user_id, slug=slug, quantity=1, method="stripe"
                )
            except SaleNotStarted:
                time.sleep(0.01)
            finally:
                done()

    return call


def cut_at_the_start(monkeypatch: pytest.MonkeyPatch) -> tuple[FlashRun, Counter[str]]:
    """Two buyers of two units, while staff who looked just before the start leave one of them."""
    run = starting(units=2, stock=2, seconds=1)
    bought, looked = threading.Event(), replan._check_terms

    def slow(*args: Any) -> None:
        looked(*args)
        while clock.now() < run.starts_at:
            time.sleep(0.02)
        bought.wait(1.5)

    def seen() -> None:
        if clock.now() >= run.starts_at and taken(run) == 2:
            bought.set()

    monkeypatch.setattr(replan, "_check_terms", slow)
    calls = [staff_change(run, allocation=1), buyer(run, seen), buyer(run, seen)]
    answers = in_parallel(calls)
    run.refresh_from_db()
    return run, Counter(type(answer).__name__ for answer in answers)


@pytest.mark.proof(
    "Flash run: fewer units at the moment of its start",
    size="2 buyers of 2 units, of which staff leave 1",
    control="test_control_without_the_lock_units_are_sold_that_staff_took",
    runs=20,
)
def test_buyers_at_the_start_find_what_staff_left(monkeypatch: pytest.MonkeyPatch) -> None:
    run, answers = cut_at_the_start(monkeypatch)
    assert answers == {"FlashSale": 1, "FlashPlaced": 1, "SoldOut": 1}
    assert (run.allocation, taken(run)) == (1, 1)
    assert invariants.breaches() == []


def test_control_without_the_lock_units_are_sold_that_staff_took(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Only the count of the deleted rows saves the run then."""
    monkeypatch.setattr(locks, "run", lambda pk: FlashRun.objects.get(pk=pk))
    run, answers = cut_at_the_start(monkeypatch)
    assert answers == {"PromiseBroken": 1, "FlashPlaced": 2}
    assert (run.allocation, taken(run)) == (2, 2)


def test_control_without_the_count_either_the_books_are_wrong(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(locks, "run", lambda pk: FlashRun.objects.get(pk=pk))
    monkeypatch.setattr(replan, "units_drop", lambda run, last: last - run.allocation)
    run, _ = cut_at_the_start(monkeypatch)
    assert (run.allocation, taken(run)) == (1, 2)
    assert invariants.breaches() != []


@pytest.mark.parametrize("units", [4, 14])
def test_a_crowd_at_the_start_and_staff_who_change_the_units(units: int) -> None:
    run = starting(units=10, stock=20, seconds=1)
    change = staff_change(run, allocation=units)

    def at_the_start() -> Any:
        while clock.now() < run.starts_at - timedelta(milliseconds=5):
            pass
        return change()

    answers = in_parallel([at_the_start, *(buyer(run) for _ in range(20))])
    run.refresh_from_db()
    names = Counter(type(answer).__name__ for answer in answers[1:])
    assert names == {"FlashPlaced": run.allocation, "SoldOut": 20 - run.allocation}
    assert run.allocation in (units, 10)
    assert taken(run) == run.allocation
    assert invariants.breaches() == []


def test_a_crowd_finds_the_units_that_a_live_run_gets() -> None:
    run = live_run(units=5, stock=15)
    calls = [staff_change(run, allocation=15), *(buyer(run) for _ in range(20))]
    in_parallel(calls)
    in_parallel([buyer(run) for _ in range(10)])
    run.refresh_from_db()
    assert (run.allocation, taken(run)) == (15, 15)
    assert invariants.breaches() == []


def test_a_buyer_who_comes_as_the_start_is_put_off_is_told_the_new_one() -> None:
    run = planned_run(units=1)
    with pytest.raises(SaleNotStarted) as early:
        services.run_enter(run.pk)
    assert early.value.starts_at == run.starts_at
    FlashRun.objects.update(ended_at=clock.now(), end="staff")
    with pytest.raises(SaleEnded):
        services.run_enter(run.pk)

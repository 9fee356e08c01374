"""Many buyers of a run's few units, each guard with the control that lacks it."""

import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from django.db import transaction
from django.db.models import Sum

from common import rows
from common.together import Together
from config import invariants
from payments.checkout import services as checkout
from payments.checkout.services import flash
from payments.intake import services as machine
from shop.flash_sales import locks, rules, selectors, services
from shop.flash_sales.models import FlashPurchase, FlashRun, FlashUnit
from shop.flash_sales.rules import UnitState
from shop.flash_sales.services import Wanted, many
from shop.orders.models import Order
from tests.factories.flash import live_run
from tests.factories.users import UserFactory
from tests.races.parallel import capture_of, in_parallel
from tests.sizes import sized

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_stripe")]

RUSHES = [
    (sized(100, 1_000), sized(30, 100), (1,)),
    (sized(100, 200), 1, (1,)),
    (sized(60, 900), sized(70, 1_000), (1,)),
    (sized(60, 500), sized(50, 300), (1, 2, 3)),
]


def purchase(run: FlashRun, user_id: int, quantity: int = 1) -> Callable[[], Any]:
    return lambda: checkout.flash_purchase(
        user_id=user_id, slug=run.sale.slug, quantity=quantity, method="stripe"
    )


def rush(run: FlashRun, wanted: list[int]) -> Counter[str]:
    """Everybody buys at once, 50 at a time: how often each answer came."""
    calls = [purchase(run, UserFactory().pk, quantity) for quantity in wanted]
    waves = [in_parallel(calls[start : start + 50]) for start in range(0, len(calls), 50)]
    return Counter(type(answer).__name__ for wave in waves for answer in wave)


def taken(run: FlashRun) -> int:
    return FlashUnit.objects.filter(run=run).exclude(state=UnitState.FREE).count()


def ordered(run: FlashRun) -> int:
    found = FlashPurchase.objects.filter(run=run).aggregate(n=Sum("quantity"))["n"]
    return int(found or 0)


@pytest.fixture(params=["together", "apart"])
def grouping(request: pytest.FixtureRequest) -> None:
    """Buyers of one process share transactions; those of as many processes have their own."""
    if request.param == "apart":
        request.getfixturevalue("apart")


@pytest.fixture
def apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flash, "_groups", lambda slug: Together(flash._carry_out))


@pytest.mark.usefixtures("grouping")
@pytest.mark.parametrize(("people", "units", "quantities"), RUSHES)
@pytest.mark.proof(
    "Flash run: exactly min(stock, demand)",
    size="; ".join(f"{people} buyers of {units} units" for people, units, _ in RUSHES),
    control="test_control_without_rows_of_units_too_many_are_sold",
    runs=20,
)
def test_exactly_as_many_are_sold_as_there_are(
    people: int, units: int, quantities: tuple[int, ...]
) -> None:
    run = live_run(units=units)
    wanted = [quantities[number % len(quantities)] for number in range(people)]
    answers = rush(run, wanted)
    assert set(answers) <= {"FlashPlaced", "SoldOut"}
    # Whoever wants three finds two left, and the two go to somebody who wants fewer.
    assert taken(run) == ordered(run) == min(units, sum(wanted))
    assert invariants.breaches() == []


@pytest.mark.usefixtures("apart")
def test_control_without_rows_of_units_too_many_are_sold(monkeypatch: pytest.MonkeyPatch) -> None:
    """A count that is read before anything is written, as most shops have it."""

    def counted(run_id: int, quantity: int) -> list[FlashUnit]:
        units = list(FlashUnit.objects.filter(run_id=run_id).order_by("number"))
        return units[:quantity] if taken(run) < len(units) else []

    monkeypatch.setattr(locks, "free_units", counted)
    # Units change hands whatever they are by now.
    change = rows.change
    monkeypatch.setattr(rows, "change", lambda model, values, where=None: change(model, values))
    run = live_run(units=5)
    rush(run, [1] * 50)
    assert ordered(run) > 5


@pytest.mark.usefixtures("grouping")
@pytest.mark.proof(
    "Flash run: one user, limit 2, 50 parallel calls",
    size="50 calls",
    control="test_control_without_slots_a_user_gets_more",
    runs=20,
)
def test_one_user_never_has_more_than_the_limit() -> None:
    run, user = live_run(units=60, per_user_limit=2), UserFactory()
    answers = Counter(type(a).__name__ for a in in_parallel([purchase(run, user.pk)] * 50))
    assert answers == {"FlashPlaced": 2, "UserLimitReached": 48}
    assert invariants.breaches() == []


@pytest.mark.usefixtures("apart")
def test_control_without_slots_a_user_gets_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same read of what the user has, and no unique key behind it."""
    slots = many._slots

    def unguarded(run: FlashRun, one: Wanted, used: set[int]) -> tuple[None, ...]:
        slots(run, one, used)
        return (None,) * one.quantity

    monkeypatch.setattr(many, "_slots", unguarded)
    run, user = live_run(units=60, per_user_limit=2), UserFactory()
    in_parallel([purchase(run, user.pk)] * 50)
    assert taken(run) > 2


def end(run: FlashRun) -> Callable[[], bool]:
    return lambda: services.run_end(run_id=run.pk, reason=FlashRun.End.STAFF)


def cancel(order: Order) -> Callable[[], None]:
    return lambda: checkout.order_cancel(order_id=order.pk, actor_id=order.user_id)


def test_a_run_that_ends_in_a_rush_gives_back_what_was_not_taken() -> None:
    for _ in range(5):
        run = live_run(units=30)
        calls = [purchase(run, UserFactory().pk) for _ in range(20)]
        answers = Counter(type(a).__name__ for a in in_parallel([*calls, end(run), end(run)]))
        assert answers["FlashPlaced"] + answers["SaleEnded"] + answers["SoldOut"] == 20
        assert answers["bool"] == 2
        assert taken(run) == 30  # held, or given back
        assert invariants.breaches() == []


def test_a_hold_given_back_while_the_run_ends_is_on_no_sale_any_more() -> None:
    for _ in range(5):
        run = live_run(units=10)
        orders = [purchase(run, UserFactory().pk)().placed.order for _ in range(10)]
        in_parallel([*(cancel(order) for order in orders), end(run)])
        assert selectors.unit_counts([run.pk])[run.pk] == rules.Counts(0, 0, 0, 10)
        assert invariants.breaches() == []


def cancelled_while_it_ends(patch: pytest.MonkeyPatch) -> FlashRun:
    """A run that ends between the look at it and the return of a unit, as no lock keeps it."""
    looked, ended = threading.Event(), threading.Event()

    def unlocked(pk: int) -> FlashRun:
        found = FlashRun.objects.get(pk=pk)
        looked.set()
        ended.wait(5)
        return found

    def finish() -> None:
        looked.wait(5)
        end(run)()
        ended.set()

    patch.setattr(locks, "run_shared", unlocked)
    run = live_run(units=3)
    order = purchase(run, UserFactory().pk)().placed.order
    in_parallel([cancel(order), finish])
    return run


def test_control_without_the_runs_lock_a_unit_stays_on_sale_after_the_end() -> None:
    for _ in range(5):
        with pytest.MonkeyPatch.context() as patch:
            run = cancelled_while_it_ends(patch)
        # A deadlock of the two is run again, and sees the end then.
        if f"3 run {run.pk}: ended, and 1 of its units are on sale" in invariants.breaches():
            return
    pytest.fail("every unit left the sale with its run")


def test_a_second_wave_gets_what_was_never_paid() -> None:
    run = live_run(units=20)
    rush(run, [1] * 30)
    orders = list(Order.objects.filter(run=run).order_by("pk"))
    for order in orders[:14]:
        payment = order.payments.get()
        machine.payment_settle(payment_id=payment.pk, capture=capture_of(payment))
    Order.objects.filter(pk__in=[o.pk for o in orders[14:]]).update(expires_at=run.starts_at)
    assert rush(run, [1] * 10) == {"FlashPlaced": 6, "SoldOut": 4}
    assert selectors.unit_counts([run.pk])[run.pk] == rules.Counts(0, 6, 14, 0)
    assert invariants.breaches() == []


def test_late_money_never_eats_the_next_runs_units() -> None:
    first = live_run(units=2)
    placed = [purchase(first, UserFactory().pk)().placed for _ in range(2)]
    for one in placed:
        checkout.order_cancel(order_id=one.order.pk, actor_id=one.order.user_id)
    end(first)()
    second = live_run(units=2)
    for one in placed:
        machine.payment_settle(payment_id=one.payment.pk, capture=capture_of(one.payment))
    assert selectors.unit_counts([second.pk])[second.pk].free == 2
    assert {o.status for o in Order.objects.filter(run=first)} == {"cancelled"}
    assert invariants.breaches() == []


def paid_purchases(run: FlashRun, count: int) -> None:
    for _ in range(count):
        payment = purchase(run, UserFactory().pk)().placed.payment
        machine.payment_settle(payment_id=payment.pk, capture=capture_of(payment))
    FlashPurchase.objects.update(paid_at=run.starts_at)


def give_positions(run: FlashRun) -> list[int]:
    in_parallel([lambda: services.positions_give(run_id=run.pk)] * 20)
    return positions(run)


def positions(run: FlashRun) -> list[int]:
    return list(selectors.leaderboard(run.pk).values_list("position", flat=True))


def test_positions_are_given_once_by_twenty() -> None:
    run = live_run(units=10)
    paid_purchases(run, 10)
    assert give_positions(run) == list(range(1, 11))


def test_control_without_their_lock_positions_move(monkeypatch: pytest.MonkeyPatch) -> None:
    run = live_run(units=10)
    paid_purchases(run, 10)
    with transaction.atomic():
        stale = locks.unplaced_purchases(run.pk)
    monkeypatch.setattr(locks, "unplaced_purchases", lambda run_id: stale)
    # Two that have read the same rows; at once, both might give the same.
    for _ in range(2):
        services.positions_give(run_id=run.pk)
    assert positions(run) == list(range(11, 21))

"""Planning, changing and ending runs, and what happens to their units."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from common import clock
from config import invariants
from payments.checkout import services as checkout
from shop.flash_sales import errors, rules, selectors, services
from shop.flash_sales.models import FlashRun, FlashUnit
from shop.flash_sales.rules import Counts, RunStatus
from shop.flash_sales.services import Offer, Plan
from shop.models import Order, Stock
from tests.factories.flash import HOUR, buy, live_run, open_run, pay, planned_run
from tests.factories.orders import own_rollbacks, settled  # noqa: F401
from tests.factories.users import StaffFactory, UserFactory

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.usefixtures("own_rollbacks", "settled", "no_stripe"),
]


def counts(run: FlashRun) -> Counts:
    return selectors.unit_counts([run.pk])[run.pk]


def on_hand(run: FlashRun) -> int:
    return Stock.objects.get(product=run.sale.product).on_hand


def test_a_planned_run_has_its_units_out_of_the_stock() -> None:
    run = planned_run(units=5, stock=8)
    assert (on_hand(run), counts(run)) == (3, Counts(5, 0, 0, 0))


def test_more_units_than_there_are_in_stock_are_refused_with_what_there_is() -> None:
    with pytest.raises(errors.AllocationAboveStock) as refused:
        planned_run(units=9, stock=8)
    assert refused.value.extra["available"] == 8
    assert not FlashRun.objects.exists()


def test_a_run_starts_in_the_future_and_never_beside_another() -> None:
    run = planned_run(units=1, stock=9)
    again = {"sale_id": run.sale_id, "actor_id": None}
    with pytest.raises(errors.StartsInThePast):
        services.run_schedule(plan=Plan(1, clock.now()), **again)
    with pytest.raises(errors.RunOverlaps):
        services.run_schedule(plan=Plan(1, run.starts_at), **again)
    before = Plan(1, run.starts_at - HOUR / 2, run.starts_at)
    assert services.run_schedule(plan=before, **again).number == 2


def test_before_its_start_nothing_is_sold() -> None:
    run = planned_run(units=1)
    with pytest.raises(errors.SaleNotStarted) as refused:
        buy(run)
    assert refused.value.extra["starts_at"].endswith("Z")
    assert not Order.objects.exists()


def test_a_purchase_is_an_order_of_the_run_with_numbered_units() -> None:
    run = live_run(units=5, price=700)
    bought = buy(run, 2)
    order = bought.placed.order
    assert (bought.units, order.total, order.run_id) == ([1, 2], 1400, run.pk)
    assert counts(run) == Counts(3, 2, 0, 0)
    pay(bought)
    assert counts(run) == Counts(3, 0, 2, 0)
    order.refresh_from_db()
    assert order.status == "paid"


def test_an_unpaid_purchase_gives_its_units_back_to_its_run() -> None:
    run = live_run(units=2)
    order = buy(run, 2).placed.order
    with pytest.raises(errors.SoldOut) as refused:
        buy(run)
    assert refused.value.extra["remaining"] == 0
    checkout.order_cancel(order_id=order.pk, actor_id=order.user_id)
    assert counts(run) == Counts(2, 0, 0, 0)
    assert on_hand(run) == 0


def test_limits_of_an_order_and_of_a_user() -> None:
    run, user = live_run(units=9, per_order_limit=2, per_user_limit=3), UserFactory()
    with pytest.raises(errors.OrderLimitExceeded):
        buy(run, 3, user.pk)
    buy(run, 2, user.pk)
    with pytest.raises(errors.UserLimitReached) as refused:
        buy(run, 2, user.pk)
    assert refused.value.extra["left"] == 1
    assert buy(run, 1, user.pk).units == [3]
    assert counts(run) == Counts(6, 3, 0, 0)


def test_the_database_knows_a_unit_and_a_slot_once() -> None:
    run = live_run(units=3, per_user_limit=2)
    buy(run, 2)
    unit = FlashUnit.objects.filter(run=run, number=1)
    for change in ({"number": 2}, {"slot": 2}, {"user_id": None}, {"state": "free"}):
        with pytest.raises(Exception, match="flash_") as refused, transaction.atomic():
            unit.update(**change)
        assert isinstance(refused.value, IntegrityError) or "flash_unit" in str(refused.value)


def test_staff_end_a_run_and_its_holds_go_back_to_the_stock_later() -> None:
    run = live_run(units=5)
    held, sold = buy(run), buy(run)
    pay(sold)
    ended = services.sale_end(sale_id=run.sale_id, actor_id=StaffFactory().pk)
    assert (ended.pk, counts(run), on_hand(run)) == (run.pk, Counts(0, 1, 1, 3), 3)
    with pytest.raises(errors.SaleEnded):
        buy(run)
    checkout.order_cancel(order_id=held.placed.order.pk, actor_id=held.placed.order.user_id)
    assert (counts(run), on_hand(run)) == (Counts(0, 0, 1, 4), 4)


def test_the_sweep_ends_a_run_at_its_time_or_when_all_is_paid() -> None:
    timed, sold, live = live_run(units=2, ends=True), live_run(units=1), live_run(units=1)
    pay(buy(sold))
    buy(live)
    FlashRun.objects.filter(pk=timed.pk).update(ends_at=clock.now())
    assert services.runs_sweep() == 2
    assert services.runs_sweep() == 0
    ends = dict(FlashRun.objects.values_list("pk", "end"))
    assert ends == {timed.pk: "time", sold.pk: "sold", live.pk: ""}


def test_a_sale_runs_again_with_fresh_units() -> None:
    first = live_run(units=1, stock=3)
    pay(buy(first))
    services.runs_sweep()
    plan = Plan(2, clock.now() + HOUR)
    second = services.run_schedule(sale_id=first.sale_id, plan=plan, actor_id=None)
    [now] = selectors.sales_now([first.sale])
    assert (now.run and now.run.run.number, now.next_run) == (1, second)
    buy(open_run(second))
    assert (counts(first), counts(second)) == (Counts(0, 0, 1, 0), Counts(1, 1, 0, 0))
    [now] = selectors.sales_now([first.sale])
    assert now.run is not None
    assert (now.run.run, now.run.status, now.next_run) == (second, RunStatus.LIVE, None)


def test_late_money_takes_a_free_unit_of_its_run_again() -> None:
    run = live_run(units=1)
    bought = buy(run)
    checkout.order_cancel(order_id=bought.placed.order.pk, actor_id=bought.placed.order.user_id)
    pay(bought)
    assert counts(run) == Counts(0, 0, 1, 0)


def test_late_money_goes_back_where_the_unit_is_somebody_elses() -> None:
    run = live_run(units=1)
    bought = buy(run)
    checkout.order_cancel(order_id=bought.placed.order.pk, actor_id=bought.placed.order.user_id)
    buy(run)
    pay(bought)
    bought.placed.order.refresh_from_db()
    assert bought.placed.order.status == "cancelled"
    assert bought.placed.payment.refunds.count() == 1
    assert counts(run) == Counts(0, 1, 0, 0)


def test_a_live_run_keeps_its_promises_and_a_planned_one_changes() -> None:
    run, staff = planned_run(units=1, per_user_limit=2), StaffFactory().pk
    worse = Offer(900, per_user_limit=1)
    services.sale_change(sale_id=run.sale_id, offer=worse, actor_id=staff)
    run.refresh_from_db()
    assert (run.price, run.per_user_limit) == (900, 1)
    open_run(run)
    with pytest.raises(errors.PromiseBroken) as refused:
        services.sale_change(sale_id=run.sale_id, offer=replace(worse, price=901), actor_id=staff)
    assert refused.value.extra["field"] == "price"
    services.sale_change(sale_id=run.sale_id, offer=replace(worse, price=100), actor_id=staff)
    assert buy(run).placed.order.total == 100


def test_the_leaderboard_is_by_the_moment_of_payment_and_never_moves() -> None:
    run = live_run(units=3)
    first, second, third = buy(run), buy(run), buy(run)
    for minutes, bought in ((3, second), (2, first)):
        pay(bought)
        moment = clock.now() - timedelta(minutes=minutes)
        run.purchases.filter(order=bought.placed.order).update(paid_at=moment)
    pay(third)
    assert services.positions_give(run_id=run.pk) == 2
    placed = list(selectors.leaderboard(run.pk).values_list("order_id", "position"))
    assert placed == [(second.placed.order.pk, 1), (first.placed.order.pk, 2)]
    assert services.positions_give(run_id=run.pk) == 0


def test_the_sweep_finds_what_is_paid_however_long_ago_the_run_ended() -> None:
    old, live = live_run(units=2), live_run(units=2)
    late = [buy(old), buy(old)]
    buy(live)
    services.run_end(run_id=old.pk, reason=FlashRun.End.STAFF)
    FlashRun.objects.filter(pk=old.pk).update(ended_at=clock.now() - timedelta(days=400))
    for bought in late:
        pay(bought)
    old.purchases.update(paid_at=clock.now() - 2 * rules.SETTLING)
    assert selectors.runs_with_unplaced() == [old.pk]
    services.runs_sweep()
    assert selectors.runs_with_unplaced() == []
    assert selectors.leaderboard(old.pk).count() == 2


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda run: run.units.filter(number=3).delete(), "2 units of 3"),
        (lambda run: run.units.filter(state="held").update(state="sold"), "units sold"),
        (lambda run: FlashRun.objects.update(per_user_limit=1), "allowed are 1"),
        (lambda run: Stock.objects.update(on_hand=9), "on hand 9"),
        (lambda run: run.purchases.update(quantity=1), "with other units than it bought"),
    ],
)
def test_control_the_invariants_find_what_is_wrong(spoil: Any, said: str) -> None:
    run = live_run(units=3)
    buy(run, 2)
    with transaction.atomic():
        spoil(run)
        assert any(said in line for line in invariants.breaches())
        transaction.set_rollback(True)

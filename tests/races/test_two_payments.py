"""Two payments of one order are settled at once; late money meets a cancellation."""

import random
import time
from collections import Counter
from typing import Any

import pytest

from common import db
from common.errors import Busy
from config import invariants
from payments.checkout import services as checkout
from payments.checkout.services import Placed
from payments.intake import services as machine
from payments.intake.models import Payment
from shop.inventory.models import StockMovement
from shop.orders import services as orders
from tests.races.parallel import capture_of, in_parallel, order_of_one, remove_payment_lock

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_stripe")]

ROUNDS = 10


def slow_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    """An order's status is written a moment after it was read."""
    change = orders._move

    def slowly(*args: Any, **kwargs: Any) -> None:
        time.sleep(0.05)
        change(*args, **kwargs)

    monkeypatch.setattr(orders, "_move", slowly)


def settle(payment: Payment) -> bool:
    # The one that replaced the other would win every round that starts even.
    time.sleep(random.uniform(0, 0.02))
    return machine.payment_settle(payment_id=payment.pk, capture=capture_of(payment))


def both_settled() -> tuple[Placed, list[Any]]:
    """The customer paid a payment in one browser tab, and in another the one that replaced it."""
    placed = order_of_one(stock=2)
    second = checkout.payment_change(order_id=placed.order.pk, method="stripe")
    results = in_parallel([lambda p=p: settle(p) for p in (placed.payment, second)])
    return placed, results


def outcome(placed: Placed) -> tuple[Any, ...]:
    """The order, units sold, and of each payment its end and what goes back."""
    placed.order.refresh_from_db()
    sold = StockMovement.objects.filter(order_line__order=placed.order, kind="sold").count()
    payments = Payment.objects.filter(order=placed.order)
    ends = sorted(payments.values_list("status", "captured", "refund_pending"))
    return placed.order.status, sold, ends


ONE_BUYS_ONE_GOES_BACK = ("paid", 1, [("review", 1000, 1000), ("succeeded", 1000, 0)])


@pytest.mark.proof(
    "Two payments of one order",
    size=f"2 in parallel, {ROUNDS} rounds",
    control="test_control_without_locks_both_buy_or_the_money_of_one_is_lost",
    runs=20,
)
def test_one_of_two_payments_buys_and_the_other_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    slow_moves(monkeypatch)
    first_won: Counter[bool] = Counter()
    for _ in range(ROUNDS):
        placed, results = both_settled()
        assert results == [True, True]
        assert outcome(placed) == ONE_BUYS_ONE_GOES_BACK
        first_won[Payment.objects.get(pk=placed.payment.pk).status == "succeeded"] += 1
    assert len(first_won) == 2, "one of the two came first every time: no race was run"
    assert invariants.breaches() == []


def test_control_without_locks_both_buy_or_the_money_of_one_is_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slow_moves(monkeypatch)
    remove_payment_lock(monkeypatch)
    ends = [outcome(both_settled()[0]) for _ in range(ROUNDS)]
    # Both have bought the one order, or the money of one is counted nowhere.
    assert any(end[2] != ONE_BUYS_ONE_GOES_BACK[2] for end in ends), "two payments never met"
    assert invariants.breaches() != []


def money_meets_cancellation() -> tuple[Placed, list[Any]]:
    placed = order_of_one()

    def cancel() -> str:
        time.sleep(random.uniform(0, 0.02))
        try:
            checkout.order_cancel(order_id=placed.order.pk, actor_id=placed.order.user_id)
        except Exception as error:
            return str(getattr(error, "code", type(error).__name__))
        return "cancelled"

    return placed, in_parallel([lambda: settle(placed.payment), cancel])


def is_clean(placed: Placed, results: list[Any]) -> bool:
    """Paid and not cancelled, or cancelled first and bought again by what is known as late."""
    paid = outcome(placed) == ("paid", 1, [("succeeded", 1000, 0)])
    late = Payment.objects.get(pk=placed.payment.pk).reason == "late"
    return paid and results == [True, "cancelled" if late else "invalid_transition"]


@pytest.mark.proof(
    "Money meets a cancellation",
    size=f"2 in parallel, {ROUNDS} rounds",
    control="test_control_without_locks_money_and_cancellation_deadlock",
    runs=20,
)
def test_money_that_meets_a_cancellation_buys_once(monkeypatch: pytest.MonkeyPatch) -> None:
    slow_moves(monkeypatch)
    monkeypatch.setattr(db, "ATTEMPTS", 1)
    said: Counter[str] = Counter()
    for _ in range(ROUNDS):
        placed, results = money_meets_cancellation()
        assert is_clean(placed, results), (results, outcome(placed))
        said[results[1]] += 1
    assert len(said) == 2, said
    assert invariants.breaches() == []


def test_control_without_locks_money_and_cancellation_deadlock(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """MySQL itself ends one of the two; with the locks, neither needs to be run again."""
    slow_moves(monkeypatch)
    remove_payment_lock(monkeypatch)
    monkeypatch.setattr(db, "ATTEMPTS", 1)
    met = [money_meets_cancellation() for _ in range(ROUNDS)]
    assert not all(is_clean(*each) for each in met), "money and cancellation never met"
    assert any(isinstance(results[0], Busy) or results[1] == Busy.code for _, results in met)

"""What an order may become, and how refunds are spread."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shop.orders import rules
from shop.orders.rules import LineLeft, Status

CONTRACT = {
    ("pending_payment", "paid"),
    ("pending_payment", "cancelled"),
    ("pending_payment", "expired"),
    ("cancelled", "paid"),
    ("expired", "paid"),
    ("paid", "partially_refunded"),
    ("paid", "refunded"),
    # A second partial refund stays where it is.
    ("partially_refunded", "partially_refunded"),
    ("partially_refunded", "refunded"),
}


@pytest.mark.parametrize("old", list(Status))
@pytest.mark.parametrize("new", list(Status))
def test_an_order_moves_only_as_the_contract_says(old: Status, new: Status) -> None:
    assert rules.may_become(old, new) == ((old.value, new.value) in CONTRACT)


@st.composite
def lines_left(draw: st.DrawFn) -> list[LineLeft]:
    found = []
    for number in range(draw(st.integers(1, 6))):
        price, quantity = draw(st.integers(1, 10**6)), draw(st.integers(1, 50))
        left = draw(st.integers(0, quantity))
        found.append(
            LineLeft(number, f"p{number}", price, left, draw(st.integers(0, price * quantity)))
        )
    return found


@given(lines_left(), st.data())
def test_shares_add_up_to_the_refund_and_stay_within_their_line(
    left: list[LineLeft], data: st.DataObject
) -> None:
    slugs = [line.slug for line in left if line.quantity]
    names = data.draw(st.sets(st.sampled_from(slugs))) if slugs else set()
    by_slug = {line.slug: line for line in left}
    chosen = {n: data.draw(st.integers(1, by_slug[n].quantity)) for n in sorted(names)}
    most = sum(line.amount for line in left if not chosen or line.slug in chosen)
    if not most:
        return
    amount = data.draw(st.integers(1, most))
    shares = rules.refund_shares(left, amount, chosen)
    assert sum(share.amount for share in shares) == amount
    lines = {line.line_id: line for line in left}
    for share in shares:
        assert 0 <= share.amount <= lines[share.line_id].amount
        assert 0 <= share.quantity <= lines[share.line_id].quantity


def test_chosen_units_are_refunded_at_their_own_price() -> None:
    left = [LineLeft(1, "a", 1000, 3, 3000), LineLeft(2, "b", 1000, 1, 1000)]
    chosen = {"a": 1, "b": 1}
    amount = rules.refund_amount(left, chosen)
    shares = rules.refund_shares(left, amount, chosen)
    assert [(s.amount, s.quantity) for s in shares] == [(1000, 1), (1000, 1)]


def test_more_than_the_chosen_units_cost_comes_from_the_rest_of_their_lines() -> None:
    left = [LineLeft(1, "a", 1000, 3, 3000), LineLeft(2, "b", 1000, 1, 1000)]
    shares = rules.refund_shares(left, 2500, {"a": 1, "b": 1})
    assert [s.amount for s in shares] == [1500, 1000]


def test_a_refund_of_all_that_is_left_returns_every_unit() -> None:
    left = [LineLeft(1, "a", 1000, 2, 1500), LineLeft(2, "b", 500, 1, 500)]
    assert [s.quantity for s in rules.refund_shares(left, 2000, {})] == [2, 1]
    assert [s.quantity for s in rules.refund_shares(left, 1999, {})] == [0, 0]


def test_quantities_of_one_product_are_summed_in_order() -> None:
    assert rules.sum_quantities([("a", 1), ("b", 2), ("a", 3)]) == {"a": 4, "b": 2}


@pytest.mark.parametrize(
    ("refunded", "status"),
    [(1, "partially_refunded"), (999, "partially_refunded"), (1000, "refunded")],
)
def test_the_last_cent_makes_an_order_refunded(refunded: int, status: str) -> None:
    assert rules.status_after_refund(1000, refunded) == status

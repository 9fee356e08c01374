"""Costs, shares and the minimum, in numbers."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.exchange import rules
from payments.exchange.errors import Unreachable
from payments.exchange.gateway import Answer, _answer
from payments.exchange.serializers import price_text

DOLLAR = 10**18
COIN = 10**8


@pytest.mark.parametrize(
    ("units", "price", "cents"),
    [
        (3 * COIN, 4 * DOLLAR, 1200),
        (1 * COIN, 4 * DOLLAR, 400),
        (COIN // 20, 67 * DOLLAR, 335),
        # Up to the cent, and never for nothing.
        (COIN // 3, 4 * DOLLAR, 134),
        (1, 4 * DOLLAR, 1),
        (1, 1, 1),
        (COIN, DOLLAR // 100 + 1, 2),
    ],
)
def test_a_cost_is_rounded_up_to_the_cent(units: int, price: int, cents: int) -> None:
    assert rules.cost(units, price, 8) == cents


def test_the_minimum_is_held_against_worth_and_not_against_what_was_rounded_up() -> None:
    minimum = rules.worth_of_cents(1000, 8)
    thousand = 1000 * rules.worth(COIN // 10_000, 4 * DOLLAR)
    assert 1000 * rules.cost(COIN // 10_000, 4 * DOLLAR, 8) == 1000
    assert thousand < minimum
    assert rules.worth(5 * COIN // 2, 4 * DOLLAR) == minimum
    assert rules.worth(5 * COIN // 2 - 1, 4 * DOLLAR) < minimum


UNITS = st.integers(1, 10**20)


@given(amounts=st.lists(UNITS, min_size=1, max_size=30), part=st.fractions(0, 2))
def test_shares_add_up_and_nobody_gets_more_than_ordered(
    amounts: list[int], part: Fraction
) -> None:
    filled = int(sum(amounts) * part)
    split = rules.split(filled, amounts)
    assert sum(split.parts) + split.dust == filled
    assert all(0 <= got <= wanted for got, wanted in zip(split.parts, amounts, strict=True))
    assert split.dust == max(0, filled - sum(amounts))
    shared, whole = filled - split.dust, sum(amounts)
    for got, wanted in zip(split.parts, amounts, strict=True):
        assert abs(Fraction(shared * wanted, whole) - got) < 1


@given(cost=st.integers(1, 10**6), units=UNITS, filled=UNITS)
def test_a_charge_is_within_the_cost_and_nothing_for_nothing(
    cost: int, units: int, filled: int
) -> None:
    filled = min(filled, units)
    assert 0 < rules.charge(cost, filled, units) <= cost
    assert rules.charge(cost, 0, units) == 0
    assert rules.charge(cost, units, units) == cost


@given(units=UNITS, price=st.integers(1, 10**24), cents=st.integers(1, 10**6))
def test_what_the_house_adds_is_just_enough(units: int, price: int, cents: int) -> None:
    wanted = rules.worth_of_cents(cents, 8)
    more = rules.lacking(units, rules.worth(units, price), wanted)
    assert rules.worth(units + more, price) >= wanted
    assert more == 0 or rules.worth(units + more - 1, price) < wanted


@pytest.mark.parametrize(
    ("text", "units"),
    [("3", 3 * COIN), ("0.05", COIN // 20), ("2.999999999", 299_999_999), ("1e2", 100 * COIN)],
)
def test_what_the_venue_says_is_cut_off_after_the_last_decimal(text: str, units: int) -> None:
    assert rules.to_units(Decimal(text), 8) == units


@pytest.mark.parametrize(
    ("price", "text"), [("4", "4.00"), ("67.5", "67.50"), ("0.361234567", "0.361234567")]
)
def test_a_price_has_two_decimals_or_more(price: str, text: str) -> None:
    assert price_text(Decimal(price)) == text


GOOD = {
    "client_order_id": "a-1",
    "currency": "ABAN",
    "status": "filled",
    "filled": "3",
    "cost": "12.00",
}
REJECTED = {"status": "rejected", "reason": "below_minimum", "minimum": "12.00"}


def answered(**changes: object) -> Answer:
    return _answer({**GOOD, **changes}, "a-1")


def test_a_clear_answer_is_understood() -> None:
    assert (answered().filled, answered().is_final) == (Decimal(3), True)
    assert answered(**REJECTED).minimum == 1200
    assert answered(**REJECTED).filled == 0
    assert not answered(status="open", filled="0").is_final


@pytest.mark.parametrize(
    "minimum",
    ["10000.01", "1e29", "1e30", "1e999999999", "NaN", "12.001", "0", "-1", "x", "", None],
)
def test_a_minimum_that_makes_no_sense_leaves_a_plain_refusal(
    minimum: object, caplog: pytest.LogCaptureFixture
) -> None:
    answer = answered(**{**REJECTED, "minimum": minimum})
    assert (answer.is_final, answer.minimum) == (True, None)
    assert [record.message for record in caplog.records] == ["exchange.minimum_out_of_bounds"]
    assert answered(**{**REJECTED, "minimum": "10000.00"}).minimum == 10_000_00


@pytest.mark.parametrize(
    "changes",
    [
        {"filled": "NaN"},
        {"filled": "Infinity"},
        {"filled": "-1"},
        {"filled": "1e40"},
        {"filled": "1e999999999"},
        {"filled": "1e-999"},
        {"filled": "0"},
        {"filled": 3},
        {"filled": None},
        {"filled": "three"},
        {"cost": "x"},
        {"status": "done"},
        {"status": "open", "filled": "1"},
        {"client_order_id": "a-2"},
        {"currency": ""},
        {**REJECTED, "reason": ""},
    ],
)
def test_an_unclear_answer_is_no_answer(changes: dict[str, object]) -> None:
    with pytest.raises(Unreachable):
        answered(**changes)

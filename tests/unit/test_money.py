"""Money: nothing is lost between text, minor units and shares."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.exceptions import ValidationError

from common import money
from common.api.serializers import MoneyField

WEIGHTS = st.lists(st.integers(0, 10**9), min_size=1, max_size=20).filter(any)


@given(st.integers(0, 10**12), WEIGHTS)
def test_allocated_parts_add_up_and_are_within_one_of_their_share(
    total: int, weights: list[int]
) -> None:
    parts = money.allocate(total, weights)
    assert sum(parts) == total
    whole = sum(weights)
    for part, weight in zip(parts, weights, strict=True):
        assert abs(part * whole - total * weight) < whole
        assert part == 0 or weight > 0


@given(WEIGHTS, st.data())
def test_no_part_is_larger_than_its_weight_while_the_total_is_not(
    weights: list[int], data: st.DataObject
) -> None:
    total = data.draw(st.integers(0, sum(weights)))
    parts = money.allocate(total, weights)
    assert all(part <= weight for part, weight in zip(parts, weights, strict=True))


@pytest.mark.parametrize("weights", [[], [0], [0, 0]])
def test_nothing_to_allocate_to_is_an_error(weights: list[int]) -> None:
    with pytest.raises(ValueError, match="nothing"):
        money.allocate(1, weights)


def test_the_odd_cent_goes_to_the_largest_remainder_and_then_to_the_first() -> None:
    assert money.allocate(100, [1, 1, 1]) == [34, 33, 33]
    assert money.allocate(10, [1, 2]) == [3, 7]


@given(st.integers(0, 2**63 - 1))
def test_minor_units_survive_the_way_out_and_in(minor: int) -> None:
    assert money.to_minor(Decimal(money.to_text(minor, "USD")), "USD") == minor


@pytest.mark.parametrize("text", ["0.001", "1.0000000000000000000000000000000001", "1E-3"])
def test_digits_that_would_be_lost_are_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="decimals"):
        money.to_minor(Decimal(text), "USD")


@pytest.mark.parametrize(
    ("minor", "percent", "expected"),
    [(1000, 10, 900), (1, 99, 1), (995, 50, 498), (994, 50, 497), (333, 33, 223)],
)
def test_a_discount_rounds_half_up_and_leaves_a_cent(
    minor: int, percent: int, expected: int
) -> None:
    assert money.less_percent(minor, percent) == expected


@pytest.mark.parametrize(
    "text",
    [
        "", " 1", "1 ", "+1", "1e3", "1E3", "NaN", "Infinity", "-Infinity", "1_000", "1,5", ".5",
        "5.", "1.005", "1.000", "0x10", "１", "٣", "1.²", "-1", "0", "0.00", "-0", "1" * 13, "--1",
        "1.0000000000000000000000000000001", True, None, [], {}, 1.5, Decimal("NaN"),
        Decimal("1E+3"), Decimal("0.001"),
    ],
)  # fmt: skip
def test_what_is_no_amount_is_refused(text: object) -> None:
    with pytest.raises(ValidationError):
        MoneyField().run_validation(text)


@pytest.mark.parametrize(
    ("text", "minor"), [("10.50", 1050), ("1", 100), ("0.01", 1), ("9" * 12, 99999999999900)]
)
def test_an_amount_is_minor_units_inside(text: str, minor: int) -> None:
    assert MoneyField().run_validation(text) == minor

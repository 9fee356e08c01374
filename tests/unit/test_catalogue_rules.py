"""What a product costs, to whom and when."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shop.catalogue import rules
from shop.catalogue.rules import Change, Terms

NOON = datetime(2026, 6, 15, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
TICK = timedelta(microseconds=1)
SALE = Terms(1000, 25, NOON, NOON + HOUR)


@pytest.mark.parametrize(
    ("at", "expected"),
    [(NOON - TICK, 1000), (NOON, 750), (NOON + HOUR - TICK, 750), (NOON + HOUR, 1000)],
)
def test_a_discount_starts_at_its_start_and_is_over_at_its_end(at: datetime, expected: int) -> None:
    assert rules.price(SALE, member=False, at=at) == expected


def test_a_discount_without_borders_always_applies() -> None:
    assert rules.price(Terms(1000, 10), member=False, at=NOON) == 900


def test_a_discount_for_members_leaves_a_visitor_the_list_price() -> None:
    terms = replace(SALE, members_only=True)
    assert rules.price(terms, member=False, at=NOON) == 1000
    assert rules.price(terms, member=True, at=NOON) == 750


def test_the_member_price_is_told_only_while_a_members_discount_is_in_force() -> None:
    terms = replace(SALE, members_only=True)
    assert rules.member_price(terms, NOON) == 750
    assert rules.member_price(terms, NOON + HOUR) is None
    assert rules.member_price(SALE, NOON) is None


def test_a_price_never_falls_to_zero() -> None:
    assert rules.price(Terms(1, 99), member=False, at=NOON) == 1


def test_a_window_may_be_open_but_not_empty_or_reversed() -> None:
    assert rules.is_ordered(None, NOON)
    assert rules.is_ordered(NOON, None)
    assert not rules.is_ordered(NOON, NOON)
    assert not rules.is_ordered(NOON + TICK, NOON)


def lowest(*history: Change, until: datetime = NOON) -> int:
    return rules.lowest_public_price(history, until=until)


def days(count: float) -> datetime:
    return NOON - timedelta(days=count)


def test_the_price_in_force_when_the_30_days_begin_counts() -> None:
    assert lowest(Change(days(90), Terms(500)), Change(days(29), Terms(900))) == 500


def test_a_price_that_ended_before_the_30_days_does_not_count() -> None:
    assert lowest(Change(days(90), Terms(500)), Change(days(30), Terms(900))) == 900


def test_a_discount_that_came_and_went_with_no_write_counts() -> None:
    terms = Terms(1000, 30, days(20), days(19))
    assert lowest(Change(days(90), terms)) == 700


def test_a_discount_that_was_withdrawn_before_its_start_does_not_count() -> None:
    planned = Terms(1000, 30, days(5), None)
    assert lowest(Change(days(40), planned), Change(days(6), Terms(1000))) == 1000


def test_a_discount_for_members_is_no_public_price() -> None:
    assert lowest(Change(days(40), Terms(1000, 50, members_only=True))) == 1000


def test_a_discount_that_starts_this_very_moment_counts() -> None:
    assert lowest(Change(days(40), Terms(1000, 50, NOON, None))) == 500


def test_terms_that_were_replaced_in_the_same_microsecond_do_not_count() -> None:
    assert lowest(Change(days(3), Terms(100)), Change(days(3), Terms(800))) == 800


# Whole hours, so that a scan of every hour meets every border.
hours = st.integers(-24 * 40, 24).map(lambda n: NOON + n * HOUR)


@st.composite
def some_terms(draw: st.DrawFn) -> Terms:
    start, end = draw(st.none() | hours), draw(st.none() | hours)
    if not rules.is_ordered(start, end):
        end = None
    percent, members_only = draw(st.integers(0, 99)), draw(st.booleans())
    return Terms(draw(st.integers(1, 10**6)), percent, start, end, members_only)


@given(st.lists(st.tuples(hours.filter(lambda h: h <= NOON), some_terms()), min_size=1, max_size=5))
def test_the_lowest_price_is_what_a_visitor_each_hour_would_have_found(
    entries: list[tuple[datetime, Terms]],
) -> None:
    entries.sort(key=lambda entry: entry[0])
    since = NOON - rules.LOOK_BACK
    early = [Change(*entry) for entry in entries if entry[0] <= since][-1:]
    history = early + [Change(*entry) for entry in entries if entry[0] > since]
    seen = [price_at(history, since + n * HOUR) for n in range(30 * 24 + 1)]
    assert lowest(*history) == min(price for price in seen if price is not None)


def price_at(history: list[Change], at: datetime) -> int | None:
    held = [change.terms for change in history if change.changed_at <= at]
    return rules.price(held[-1], member=False, at=at) if held else None

"""Periods of the staff dashboard: their borders, their steps, and figures made of figures."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import FieldRefused
from dashboards import charts
from dashboards.staff import rules
from dashboards.staff.rules import Granularity, Period
from shop.statistics import rules as statistics
from shop.statistics.rules import Stretch

TODAY = date(2026, 11, 22)
DAYS = st.dates(date(2019, 1, 1), date(2027, 1, 1))


def refused(
    since: date, until: date, granularity: Granularity = Granularity.DAY
) -> tuple[str, str]:
    with pytest.raises(FieldRefused) as caught:
        Period(since, until, granularity)
    return caught.value.errors[0]["field"], caught.value.code


def test_what_is_not_given_is_thirty_days_that_end_today() -> None:
    assert rules.period(None, None, None, TODAY) == Period(
        date(2026, 10, 24), TODAY, Granularity.DAY
    )
    assert rules.period(None, date(2026, 1, 30), None, TODAY).since == date(2026, 1, 1)
    assert rules.period(date(2026, 11, 1), None, None, TODAY).until == TODAY
    # A first day that is to come is a period of that day.
    assert rules.period(date(2026, 12, 1), None, None, TODAY).until == date(2026, 12, 1)
    assert rules.period(None, rules.EARLIEST, None, TODAY).since == rules.EARLIEST


def test_what_is_wrong_with_a_period_is_said_of_its_field() -> None:
    assert refused(TODAY, TODAY - timedelta(days=1)) == ("to", "period_reversed")
    assert refused(date(2000, 1, 1), date(2100, 1, 1)) == ("from", "period_too_long")
    assert refused(date(1900, 1, 1), date(2100, 1, 1)) == ("from", "out_of_range")
    assert refused(date(2026, 1, 1), date(9999, 12, 31)) == ("to", "out_of_range")
    four_years = date(2022, 11, 22)
    assert refused(four_years, TODAY) == ("granularity", "too_many_steps")
    assert Period(four_years, TODAY, Granularity.WEEK)
    assert refused(date(2017, 1, 1), TODAY, Granularity.WEEK) == ("granularity", "too_many_steps")
    assert Period(date(2017, 1, 1), TODAY, Granularity.MONTH)


@given(DAYS, st.integers(0, 399), st.sampled_from(Granularity))
def test_steps_are_the_whole_period_without_a_gap(
    since: date, length: int, granularity: Granularity
) -> None:
    period = Period(since, since + timedelta(days=length), granularity)
    steps = list(period.steps())
    assert (steps[0].since, steps[-1].until) == (period.since, period.until)
    assert all(b.since - a.until == rules.DAY for a, b in pairwise(steps))
    if granularity is Granularity.WEEK:
        assert all(step.since.weekday() == 0 for step in steps[1:])
    if granularity is Granularity.MONTH:
        assert all(step.since.day == 1 for step in steps[1:])


@given(st.lists(st.tuples(st.integers(0, 99), st.integers(0, 10**9)), max_size=40))
def test_what_is_spread_over_steps_keeps_its_sum(days: list[tuple[int, int]]) -> None:
    period = Period(TODAY, TODAY + timedelta(days=99), Granularity.MONTH)
    found = rules.spread(period.steps(), [(TODAY + timedelta(n), {"x": v}) for n, v in days])
    assert sum(sums.get("x", 0) for _, sums in found) == sum(value for _, value in days)


def test_averages_and_rates_of_nothing_are_none() -> None:
    assert rules.average(0, 0) is None
    assert rules.average(1001, 2) == 501
    assert rules.rate(0, 0) is None
    assert rules.rate(6, 7) == "0.8571"


def at(hours: float) -> datetime:
    return datetime(2026, 11, 1, tzinfo=UTC) + timedelta(hours=hours)


def test_a_price_is_looked_at_between_its_neighbours_and_for_fourteen_days_at_most() -> None:
    near = statistics.beside(at(0), at(10.5), at(30.5), at(99))
    assert near == ((at(0), at(10.5)), (at(10.5), at(30.5)))
    before, after = statistics.beside(at(-9999), at(0.5), None, at(9999))
    assert before == (at(0) - statistics.LOOK, at(0.5))
    assert after == (at(0.5), at(0) + statistics.LOOK)
    assert statistics.beside(at(0), at(1), None, at(1.5))[1] == (at(1), at(1.5))


def test_units_a_day_need_an_hour() -> None:
    assert Stretch(9, timedelta(minutes=59)).per_day is None
    assert Stretch(1, timedelta(hours=1)).per_day == Decimal("24.00")
    assert Stretch(3, timedelta(days=2)).days == Decimal("2.0")
    assert Stretch(3, timedelta(hours=6)).days == Decimal("0.25")


@given(st.lists(st.tuples(st.integers(0, 10**12), st.integers(0, 10**6)), max_size=30))
def test_a_curve_stays_in_its_frame(points: list[tuple[int, int]]) -> None:
    drawn = charts.curve(sorted(points), width=600, height=120)
    assert (drawn is None) is (points == [])
    for point in drawn.points.split() if drawn else ():
        x, y = map(int, point.split(","))
        assert 0 <= x <= 600
        assert 0 <= y <= 120

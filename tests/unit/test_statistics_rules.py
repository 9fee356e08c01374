"""Months and the periods that have them whole."""

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from shop.statistics.rules import DAY, month_after, month_of, months_between, whole_months

days = st.dates(date(1999, 1, 1), date(2101, 12, 31))


@given(days)
def test_a_month_ends_where_the_next_one_begins(day: date) -> None:
    after = month_after(day)
    assert month_of(after) == after > day >= month_of(day)
    assert month_of(after - DAY) == month_of(day)


@given(days, st.integers(1, 500))
def test_months_between_are_those_of_its_days(since: date, length: int) -> None:
    within = {month_of(since + n * DAY) for n in range(length)}
    assert list(months_between(since, since + length * DAY)) == sorted(within)


@given(days, st.integers(0, 500))
def test_whole_months_are_those_whose_days_are_all_in_the_period(since: date, length: int) -> None:
    until = since + timedelta(days=length)
    found = list(months_between(*whole_months(since, until)))
    touched = months_between(since, until + DAY)
    assert found == [m for m in touched if since <= m and month_after(m) - DAY <= until]


def test_whole_months_end_before_the_month_that_the_period_leaves_unfinished() -> None:
    assert whole_months(date(2025, 11, 23), date(2026, 11, 22)) == (
        date(2025, 12, 1),
        date(2026, 11, 1),
    )
    assert whole_months(date(2026, 2, 1), date(2026, 2, 28)) == (date(2026, 2, 1), date(2026, 3, 1))
    first, after = whole_months(date(2026, 2, 2), date(2026, 3, 30))
    assert first >= after

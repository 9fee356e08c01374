"""Charts: every bar within its frame, and small numbers not told."""

from datetime import date
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from dashboards import charts
from dashboards.public import rules

TODAY = date(2026, 11, 21)


@given(st.lists(st.one_of(st.none(), st.integers(0, 10**9)), min_size=1, max_size=60))
def test_bars_stand_on_the_ground_within_the_frame(values: list[int | None]) -> None:
    drawn = charts.bars([("x", value) for value in values])
    assert [bar.value for bar in drawn] == values
    for bar in drawn:
        assert bar.y + bar.height == charts.HEIGHT
        assert 0 <= bar.height <= charts.HEIGHT
        assert bar.x + bar.width <= charts.WIDTH
        assert (bar.height == 0) is (bar.value == 0)


def test_the_highest_bar_is_as_high_as_the_chart() -> None:
    heights = [bar.height for bar in charts.bars([("a", 5), ("b", 10), ("c", 0)])]
    assert heights == [charts.HEIGHT // 2, charts.HEIGHT, 0]


@given(st.lists(st.decimals(0, 10**9, places=6), min_size=2, max_size=60))
def test_a_line_stays_within_its_frame(values: list[Decimal]) -> None:
    drawn = charts.line(values, width=120, height=36)
    assert drawn is not None
    points = [tuple(map(int, point.split(","))) for point in drawn.points.split()]
    assert all(0 <= x <= 120 and 0 <= y <= 36 for x, y in points)
    assert (points[0][0], points[-1][0]) == (0, 120)


def test_one_value_is_no_line_and_a_price_that_never_moved_is_a_flat_one() -> None:
    assert charts.line([Decimal(1)], width=120, height=36) is None
    flat = charts.line([Decimal(1), Decimal(1)], width=120, height=36)
    assert flat is not None
    assert flat.points == "0,18 120,18"


def test_small_numbers_are_not_told() -> None:
    assert [rules.told(units) for units in (0, 1, rules.FEW - 1, rules.FEW)] == [
        0,
        None,
        None,
        rules.FEW,
    ]


def test_days_and_weeks_end_with_today() -> None:
    assert rules.days_until(TODAY)[-1] == TODAY
    assert len(rules.days_until(TODAY)) == rules.DAYS
    weeks = rules.weeks_until(TODAY)
    assert weeks[-1] == date(2026, 11, 16)
    assert len(weeks) == rules.WEEKS
    assert {day.weekday() for day in weeks} == {0}


def test_units_are_added_up_by_week() -> None:
    units = {(date(2026, 11, 16), 1): 2, (TODAY, 1): 3, (TODAY, 2): 4, (date(2020, 1, 1), 1): 9}
    assert rules.by_week(units, 1, TODAY)[-1] == {"week": "2026-11-16", "units": 5}


def test_days_without_sales_are_told_as_nothing() -> None:
    units = {TODAY: 7, date(2020, 1, 1): 9}
    assert rules.by_day(units, TODAY)[-1] == {"day": "2026-11-21", "units": 7}
    assert sum(row["units"] or 0 for row in rules.by_day(units, TODAY)) == 7  # type: ignore[misc]

"""When a rule has its moments: local times, months of many lengths, changes of the clocks."""

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest

from shop.flash_schedules import rules
from shop.flash_schedules.rules import Dates, Frequency, Repeat

BERLIN = "Europe/Berlin"
EVENING = dt.time(18)
DAY = dt.timedelta(days=1)


def utc(*parts: int) -> dt.datetime:
    return dt.datetime(*parts, tzinfo=dt.UTC)  # type: ignore[misc]


def rule(frequency: str, first: dt.date, **how: Any) -> Repeat:
    return Repeat(Frequency(frequency), first, **{"time": EVENING, "time_zone": BERLIN, **how})


def times(repeat: Repeat, start: dt.datetime, days: int) -> list[str]:
    found = repeat.between(start, start + days * DAY)
    assert all(moment.tzinfo is dt.UTC for moment in found)
    return [f"{moment:%m-%d %H:%M}" for moment in found]


def test_a_daily_sale_keeps_its_local_time_when_the_clocks_change() -> None:
    spring = rule("daily", dt.date(2030, 3, 29))
    assert times(spring, utc(2030, 3, 29), 4) == [
        "03-29 17:00", "03-30 17:00", "03-31 16:00", "04-01 16:00",
    ]  # fmt: skip
    autumn = rule("daily", dt.date(2030, 10, 26))
    assert times(autumn, utc(2030, 10, 26), 2) == ["10-26 16:00", "10-27 17:00"]


def test_control_a_day_of_24_hours_would_drift_by_an_hour() -> None:
    first = rule("daily", dt.date(2030, 3, 30)).between(utc(2030, 3, 30), utc(2030, 3, 31))[0]
    assert f"{first + DAY:%m-%d %H:%M}" == "03-31 17:00"


def test_a_time_that_the_clocks_skip_is_as_much_later() -> None:
    """On 31 March 2030 it is 03:00 in Berlin a second after 01:59:59."""
    night = rule("daily", dt.date(2030, 3, 30), time=dt.time(2, 30))
    assert times(night, utc(2030, 3, 30), 3) == ["03-30 01:30", "03-31 01:30", "04-01 00:30"]


def test_a_time_that_the_clocks_have_twice_is_held_once() -> None:
    night = rule("daily", dt.date(2030, 10, 26), time=dt.time(2, 30))
    assert times(night, utc(2030, 10, 26), 3) == ["10-26 00:30", "10-27 00:30", "10-28 01:30"]


def test_weekdays_are_those_of_the_zone() -> None:
    """Monday 01:00 in Tokyo is Sunday 16:00 UTC."""
    tokyo = rule("weekly", dt.date(2030, 2, 1), time=dt.time(1), time_zone="Asia/Tokyo")
    mondays = replace(tokyo, weekdays=("mo",))
    assert times(mondays, utc(2030, 2, 1), 14) == ["02-03 16:00", "02-10 16:00"]


def test_every_other_week_counts_from_the_first_one() -> None:
    weekly = rule("weekly", dt.date(2030, 1, 7), every=2, weekdays=("mo", "th"), time_zone="UTC")
    assert times(weekly, utc(2030, 1, 1), 31) == [
        "01-07 18:00", "01-10 18:00", "01-21 18:00", "01-24 18:00",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("day", "expected"),
    [(31, ["01-31", "02-28", "03-31", "04-30"]), (30, ["01-30", "02-28", "03-30", "04-30"]),
     (15, ["01-15", "02-15", "03-15", "04-15"])],
)  # fmt: skip
def test_a_month_that_is_too_short_has_it_on_its_last_day(day: int, expected: list[str]) -> None:
    monthly = rule("monthly", dt.date(2030, 1, day), time_zone="UTC")
    assert [text[:5] for text in times(monthly, utc(2030, 1, 1), 120)] == expected


def test_until_is_included_and_count_counts_what_has_been() -> None:
    first = dt.date(2030, 1, 1)
    assert len(times(rule("daily", first, until=dt.date(2030, 1, 3)), utc(2030, 1, 1), 99)) == 3
    assert times(rule("daily", first, count=3), utc(2030, 1, 2), 99) == [
        "01-02 17:00", "01-03 17:00",
    ]  # fmt: skip


def test_what_follows_ends_with_the_rule() -> None:
    daily = rule("daily", dt.date(2030, 1, 1), time=dt.time(0, 30), time_zone="Asia/Tokyo", count=3)
    assert (
        daily.following(utc(2020, 1, 1), 2) == daily.between(utc(2020, 1, 1), utc(2031, 1, 1))[:2]
    )
    last = daily.following(utc(2020, 1, 1), 9)[-1]
    assert daily.following(last - DAY, 9) == [last]
    assert daily.following(last, 9) == []
    dates = Dates((utc(2030, 2, 1), utc(2030, 1, 1)))
    assert dates.following(utc(2030, 1, 1), 3) == [utc(2030, 2, 1)]


def test_the_window_is_open_on_the_left_and_closed_on_the_right() -> None:
    daily = rule("daily", dt.date(2030, 1, 1), time_zone="UTC")
    moment = utc(2030, 1, 5, 18)
    assert daily.between(moment - DAY, moment) == [moment]
    assert daily.between(moment, moment + DAY) == [moment + DAY]
    assert Dates((moment, moment)).between(moment - DAY, moment) == [moment]
    assert Dates((moment,)).between(moment, moment + DAY) == []


@pytest.mark.parametrize(
    "kept",
    [
        rule("weekly", dt.date(2030, 1, 7), weekdays=("mo",), until=dt.date(2031, 1, 1), count=4),
        rule("monthly", dt.date(2030, 1, 7), time=dt.time(7, 30, 15)),
        Dates((utc(2030, 1, 1, 18), utc(2030, 2, 1, 18))),
    ],
)
def test_a_rule_is_read_as_it_was_written(kept: Any) -> None:
    assert rules.from_json(kept.as_json()) == kept


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({}, None),
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"time_zone": "../../etc/passwd"}, "time_zone"),
        ({"time_zone": "Europe"}, "time_zone"),
        ({"time_zone": ""}, "time_zone"),
        ({"first_on": dt.date(1, 1, 1)}, "first_on"),
        ({"first_on": dt.date(9999, 12, 31)}, "first_on"),
        ({"until": dt.date(2029, 12, 31)}, "until"),
        ({"until": dt.date(9999, 1, 1)}, "until"),
        ({"frequency": Frequency.MONTHLY, "weekdays": ("mo",)}, "weekdays"),
    ],
)
def test_what_is_wrong_with_a_rule_is_named(change: dict[str, Any], field: str | None) -> None:
    found = rules.wrong(replace(rule("daily", dt.date(2030, 1, 1)), **change))
    assert (found.field if found else None) == field


def test_dates_out_of_range_are_named() -> None:
    found = rules.wrong(Dates((utc(9999, 12, 31, 23),)))
    assert found is not None
    assert found.code == "out_of_range"

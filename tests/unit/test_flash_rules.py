"""What a run is, and what it promises."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shop.flash_sales import rules
from shop.flash_sales.rules import Counts, RunStatus, Terms, Window

START = datetime(2030, 1, 1, 18, tzinfo=UTC)
HOUR = timedelta(hours=1)
OPEN = Window(START)
TIMED = Window(START, START + HOUR)


@pytest.mark.parametrize(
    ("window", "counts", "at", "expected"),
    [
        (OPEN, Counts(5, 0, 0, 0), START - timedelta(microseconds=1), RunStatus.SCHEDULED),
        (OPEN, Counts(5, 0, 0, 0), START, RunStatus.LIVE),
        (OPEN, Counts(0, 2, 3, 0), START, RunStatus.SOLD_OUT),
        (OPEN, Counts(1, 1, 3, 0), START, RunStatus.LIVE),
        (OPEN, Counts(0, 0, 5, 0), START, RunStatus.ENDED),
        (TIMED, Counts(5, 0, 0, 0), START + HOUR - timedelta(microseconds=1), RunStatus.LIVE),
        (TIMED, Counts(5, 0, 0, 0), START + HOUR, RunStatus.ENDED),
        (replace(OPEN, ended_at=START), Counts(0, 1, 0, 4), START, RunStatus.ENDED),
    ],
)
def test_what_a_run_is(window: Window, counts: Counts, at: datetime, expected: str) -> None:
    assert rules.status(window, counts, at) == expected


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (Window(START - HOUR, START), False),
        (Window(START - HOUR), True),
        (Window(START + HOUR), False),
        (Window(START + HOUR / 2), True),
        (Window(START, START + HOUR), True),
    ],
)
def test_windows_that_are_open_at_one_moment(other: Window, expected: bool) -> None:
    assert TIMED.overlaps(other) is expected
    assert other.overlaps(TIMED) is expected


def test_a_run_that_was_ended_before_its_start_was_called_off() -> None:
    assert replace(OPEN, ended_at=START).called_off
    assert not replace(OPEN, ended_at=START + HOUR).called_off
    assert not OPEN.called_off


PROMISED = Terms(500, 200, 2, 4, START, START + HOUR)


@pytest.mark.parametrize(
    ("change", "broken"),
    [
        ({"price": 499, "allocation": 201, "per_order_limit": 3, "per_user_limit": None}, None),
        ({"ends_at": None}, None),
        ({"price": 501}, "price"),
        ({"allocation": 199}, "allocation"),
        ({"per_order_limit": 1}, "per_order_limit"),
        ({"per_user_limit": 3}, "per_user_limit"),
        ({"starts_at": START + HOUR}, "starts_at"),
        ({"ends_at": START + HOUR / 2}, "ends_at"),
    ],
)
def test_only_what_is_worse_for_buyers_breaks_a_promise(
    change: dict[str, Any], broken: str | None
) -> None:
    assert rules.broken_promise(PROMISED, replace(PROMISED, **change)) == broken


def test_a_limit_where_there_was_none_breaks_one() -> None:
    free = replace(PROMISED, per_user_limit=None, ends_at=None)
    assert rules.broken_promise(free, replace(free, per_user_limit=99)) == "per_user_limit"
    assert rules.broken_promise(free, replace(free, ends_at=START + HOUR)) == "ends_at"


def test_slots_that_are_left() -> None:
    assert rules.slots({2}, 3, 3) == (1, 3)
    assert rules.slots({2}, 9, 2) == (1, 3)
    assert rules.slots({1, 2, 3}, 3, 1) == ()
    assert rules.slots({2}, None, 2) == (None, None)


def test_a_slot_under_a_huge_limit_is_found_at_once() -> None:
    """A list of all slots would take minutes, and more memory than there is."""
    assert rules.slots({1, 3}, 10**15, 2) == (2, 4)


def test_an_open_end_gives_way_to_the_run_that_starts_next() -> None:
    open_ended, timed = Window(START), Window(START, START + 2 * HOUR)
    starts = [START + 2 * HOUR, START, START + HOUR, START - HOUR]
    assert open_ended.among(starts) == Window(START, START + HOUR)
    assert timed.among(starts) == timed
    assert open_ended.among([START, START - HOUR]) == open_ended

"""Periods and their steps, and figures that are made of other figures. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final

from common.money import round_units
from dashboards.staff.errors import OutOfRange, PeriodReversed, PeriodTooLong, TooManySteps

DAY: Final = timedelta(days=1)
EARLIEST: Final = date(2000, 1, 1)
LATEST: Final = date(2100, 12, 31)
LONGEST: Final = timedelta(days=3653)
# More than a chart can show.
MOST_STEPS: Final = 400
USUAL: Final = timedelta(days=29)


class Granularity(StrEnum):
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class Step:
    """Some days in a row, both ends included; of a week or month as much as is in the period."""

    since: date
    until: date


@dataclass(frozen=True, slots=True)
class Period:
    """Days in UTC, both ends included. Raises the errors of this feature."""

    since: date
    until: date
    granularity: Granularity

    def __post_init__(self) -> None:
        for name, day in (("to", self.until), ("from", self.since)):
            if not EARLIEST <= day <= LATEST:
                raise OutOfRange(name)
        if self.until < self.since:
            raise PeriodReversed
        if self.until - self.since > LONGEST:
            raise PeriodTooLong
        if self.granularity is Granularity.DAY and (self.until - self.since).days >= MOST_STEPS:
            raise TooManySteps
        if self.granularity is Granularity.WEEK and len(list(self.steps())) > MOST_STEPS:
            raise TooManySteps

    @property
    def start(self) -> datetime:
        return datetime.combine(self.since, time(), UTC)

    @property
    def end(self) -> datetime:
        """The first moment after it."""
        return datetime.combine(self.until + DAY, time(), UTC)

    def steps(self) -> Iterator[Step]:
        since = self.since
        while since <= self.until:
            following = _following(since, self.granularity)
            yield Step(since, min(following - DAY, self.until))
            since = following


def period(
    since: date | None, until: date | None, granularity: Granularity | None, today: date
) -> Period:
    """What is not given is filled in: thirty days that end today, by day.

    Raises OutOfRange, PeriodReversed, PeriodTooLong, TooManySteps.
    """
    until = until or max(today, since or today)
    since = since or max(until, EARLIEST + USUAL) - USUAL
    return Period(since, until, granularity or Granularity.DAY)


def _following(day: date, granularity: Granularity) -> date:
    """The first day of the next step: weeks begin on Mondays, months with their first day."""
    if granularity is Granularity.DAY:
        return day + DAY
    if granularity is Granularity.WEEK:
        return day + timedelta(days=7 - day.weekday())
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)


def spread(
    steps: Iterable[Step], days: Iterable[tuple[date, Mapping[str, int]]]
) -> list[tuple[Step, dict[str, int]]]:
    """The sums of each step; days in order."""
    found: list[tuple[Step, dict[str, int]]] = [(step, {}) for step in steps]
    place = 0
    for day, figures in sorted(days, key=lambda pair: pair[0]):
        while found[place][0].until < day:
            place += 1
        sums = found[place][1]
        for name, value in figures.items():
            sums[name] = sums.get(name, 0) + value
    return found


def average(amount: int, orders: int) -> int | None:
    """In minor units; None of nothing."""
    return round_units(Decimal(amount) / orders) if orders else None


def rate(part: int, whole: int) -> str | None:
    """ "0.8571"; None of nothing."""
    return format((Decimal(part) / whole).quantize(Decimal("0.0001")), "f") if whole else None

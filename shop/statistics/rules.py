"""Hours, days, months, and which of them are to be counted again. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Final

HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)
# How much of the time before and after a change of price is looked at.
LOOK: Final = timedelta(days=14)
# In less than this nothing can be said of a day.
LEAST: Final = timedelta(hours=1)


def hour_of(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def hours_between(since: datetime, until: datetime) -> Iterator[datetime]:
    """Every hour that has a moment of [since, until]."""
    hour = hour_of(since)
    while hour <= until:
        yield hour
        hour += HOUR


def start_of(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def hours_of(day: date) -> list[datetime]:
    start = start_of(day)
    return [start + number * HOUR for number in range(24)]


def days_between(since: date, until: date) -> Iterator[date]:
    """Both included."""
    while since <= until:
        yield since
        since += DAY


def month_of(day: date) -> date:
    """Months go by their first day."""
    return day.replace(day=1)


def month_after(month: date) -> date:
    return month_of(month_of(month) + 31 * DAY)


def months_between(since: date, until: date) -> Iterator[date]:
    """From the month of `since` on, those that begin before `until`."""
    month = month_of(since)
    while month < until:
        yield month
        month = month_after(month)


def whole_months(since: date, until: date) -> tuple[date, date]:
    """The first month that is whole in [since, until], and the one after the last.

    Where none is whole, the second is not after the first.
    """
    return (since if since == month_of(since) else month_after(since)), month_of(until + DAY)


def stretches(hours: Sequence[datetime]) -> Iterator[tuple[datetime, datetime]]:
    """Sorted hours as few times [since, until): neighbours are read at once."""
    since: datetime | None = None
    until: datetime | None = None
    for hour in hours:
        if hour != until:
            if since is not None and until is not None:
                yield since, until
            since = hour
        until = hour + HOUR
    if since is not None and until is not None:
        yield since, until


@dataclass(frozen=True, slots=True)
class Stretch:
    """Units that were sold in a length of time."""

    units: int
    length: timedelta

    @property
    def days(self) -> Decimal:
        """To a tenth of a day, to a hundredth below one."""
        exact = Decimal(self.length // timedelta(seconds=1)) / 86_400
        return exact.quantize(Decimal("0.1") if exact >= 1 else Decimal("0.01"))

    @property
    def per_day(self) -> Decimal | None:
        """None where the stretch is too short to tell."""
        if self.length < LEAST:
            return None
        seconds = Decimal(self.length // timedelta(seconds=1))
        return (self.units * 86_400 / seconds).quantize(Decimal("0.01"))


Span = tuple[datetime, datetime]


def beside(
    earlier: datetime, changed_at: datetime, later: datetime | None, now: datetime
) -> tuple[Span, Span]:
    """The times before and after a change: LOOK at most, up to the changes beside it, up to now."""
    since = max(earlier, hour_of(changed_at - LOOK))
    until = min(later or now, hour_of(changed_at + LOOK), now)
    return (min(since, changed_at), changed_at), (changed_at, max(until, changed_at))

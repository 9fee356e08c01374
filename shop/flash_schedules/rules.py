"""When a sale is held again: dates, or a rule that repeats at a local time. Pure."""

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final
from zoneinfo import ZoneInfo

from dateutil import rrule

# A rule is walked from its first day, whenever it is asked.
EARLIEST: Final = dt.date(2020, 1, 1)
LATEST: Final = dt.date(2100, 1, 1)
MOST_DATES: Final = 100
MOST_TIMES: Final = 10_000
MOST_EVERY: Final = 366
# How long a run may last.
MOST_MINUTES: Final = 366 * 24 * 60
DAY: Final = dt.timedelta(days=1)


class Frequency(StrEnum):
    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"


class Weekday(StrEnum):
    MO = "mo"
    TU = "tu"
    WE = "we"
    TH = "th"
    FR = "fr"
    SA = "sa"
    SU = "su"


_FREQUENCIES: Final = {
    Frequency.DAILY: rrule.DAILY,
    Frequency.WEEKLY: rrule.WEEKLY,
    Frequency.MONTHLY: rrule.MONTHLY,
}
_DAYS: Final = {day.value: number for number, day in enumerate(Weekday)}


@dataclass(frozen=True, slots=True)
class Repeat:
    """At `time` by the clocks of `time_zone`, from `first_on` on, `until` included.

    A month without the day of `first_on` has it on its last one. Where clocks skip the time, it is
    as much later as they skip; where they have it twice, it is the first of both.
    """

    frequency: Frequency
    first_on: dt.date
    time: dt.time
    time_zone: str
    every: int = 1
    weekdays: tuple[str, ...] = ()
    until: dt.date | None = None
    count: int | None = None

    def between(self, after: dt.datetime, before: dt.datetime) -> list[dt.datetime]:
        """The moments in (after, before], in UTC."""
        where = zone(self.time_zone)
        # Local time is asked a day around: offsets differ by less, before and after a change.
        start, stop = (_naive(moment, where) for moment in (after, before))
        local = self._rule().between(start - DAY, stop + DAY, inc=True)
        return [moment for moment in _utc(local, where) if after < moment <= before]

    def following(self, after: dt.datetime, count: int) -> list[dt.datetime]:
        """The next `count` moments after this one, fewer where it has ended."""
        where = zone(self.time_zone)
        # Two days more: of the day before and of the same day, some are not after it.
        local = self._rule().xafter(_naive(after, where) - DAY, count=count + 2, inc=True)
        return [moment for moment in _utc(local, where) if after < moment][:count]

    def _rule(self) -> Any:
        first = dt.datetime.combine(self.first_on, self.time)
        until = self.until and dt.datetime.combine(self.until, dt.time.max)
        return rrule.rrule(
            _FREQUENCIES[self.frequency],
            dtstart=first,
            interval=self.every,
            until=until,
            count=self.count,
            **self._days(),
        )

    def _days(self) -> dict[str, Any]:
        if self.weekdays:
            return {"byweekday": [_DAYS[day] for day in self.weekdays]}
        day = self.first_on.day
        if self.frequency == Frequency.MONTHLY and day > 28:
            return {"bymonthday": range(28, day + 1), "bysetpos": -1}
        return {}

    def as_json(self) -> dict[str, Any]:
        return {
            "frequency": self.frequency.value,
            "first_on": self.first_on.isoformat(),
            "time": self.time.isoformat(),
            "time_zone": self.time_zone,
            "every": self.every,
            "weekdays": [*self.weekdays],
            "until": self.until and self.until.isoformat(),
            "count": self.count,
        }


@dataclass(frozen=True, slots=True)
class Dates:
    """At these moments and no others."""

    moments: tuple[dt.datetime, ...]

    def between(self, after: dt.datetime, before: dt.datetime) -> list[dt.datetime]:
        return sorted({m.astimezone(dt.UTC) for m in self.moments if after < m <= before})

    def following(self, after: dt.datetime, count: int) -> list[dt.datetime]:
        return sorted({m.astimezone(dt.UTC) for m in self.moments if after < m})[:count]

    def as_json(self) -> dict[str, Any]:
        return {"dates": [moment.astimezone(dt.UTC).isoformat() for moment in self.moments]}


Rule = Repeat | Dates


def from_json(kept: Mapping[str, Any]) -> Rule:
    """What `as_json` gave."""
    if "dates" in kept:
        return Dates(tuple(dt.datetime.fromisoformat(text) for text in kept["dates"]))
    until = kept["until"]
    return Repeat(
        Frequency(kept["frequency"]),
        dt.date.fromisoformat(kept["first_on"]),
        dt.time.fromisoformat(kept["time"]),
        kept["time_zone"],
        kept["every"],
        tuple(kept["weekdays"]),
        until and dt.date.fromisoformat(until),
        kept["count"],
    )


def zone(name: str) -> dt.tzinfo:
    """Raises KeyError for a name that no time zone has."""
    if name == "UTC":  # where the system has no time zones, there is still this one
        return dt.UTC
    try:
        return ZoneInfo(name)
    # Odd names are a path outside the folder, or a folder.
    except (ValueError, OSError) as unknown:
        raise KeyError(name) from unknown


def _naive(moment: dt.datetime, where: dt.tzinfo) -> dt.datetime:
    return moment.astimezone(where).replace(tzinfo=None)


PROBLEMS: Final = {
    "unknown_time_zone": "There is no such time zone.",
    "out_of_range": "Days are of the years 2020 to 2099, the last one not before the first.",
    "not_monthly": "A monthly rule has the day of its first date, and no weekdays.",
}


def _utc(local: Iterable[dt.datetime], where: dt.tzinfo) -> Iterator[dt.datetime]:
    return (moment.replace(tzinfo=where).astimezone(dt.UTC) for moment in local)


@dataclass(frozen=True, slots=True)
class Wrong:
    """What is wrong with a field of a rule; `code` is one of PROBLEMS."""

    field: str
    code: str

    @property
    def text(self) -> str:
        return PROBLEMS[self.code]


def wrong(rule: Rule) -> Wrong | None:
    return _wrong_dates(rule.moments) if isinstance(rule, Dates) else _wrong_repeat(rule)


def _wrong_dates(moments: Sequence[dt.datetime]) -> Wrong | None:
    in_range = all(EARLIEST <= moment.date() < LATEST for moment in moments)
    return None if in_range else Wrong("dates", "out_of_range")


def _wrong_repeat(rule: Repeat) -> Wrong | None:
    try:
        zone(rule.time_zone)
    except KeyError:
        return Wrong("time_zone", "unknown_time_zone")
    if not EARLIEST <= rule.first_on < LATEST:
        return Wrong("first_on", "out_of_range")
    if rule.until is not None and not rule.first_on <= rule.until < LATEST:
        return Wrong("until", "out_of_range")
    if rule.weekdays and rule.frequency == Frequency.MONTHLY:
        return Wrong("weekdays", "not_monthly")
    return None

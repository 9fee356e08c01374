"""What is told to strangers, and how. Pure."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import Any, Final

# Fewer units than these are not told by product and week: they may be one person's.
FEW: Final = 3
DAYS: Final = 30
WEEKS: Final = 12


def told(units: int) -> int | None:
    """A number of units, or None where it is small; nothing is 0."""
    return None if 0 < units < FEW else units


def monday_of(day: date) -> date:
    return day - timedelta(days=day.weekday())


def weeks_until(today: date) -> list[date]:
    """The Mondays of the last WEEKS weeks, this one included, oldest first."""
    this = monday_of(today)
    return [this - timedelta(weeks=number) for number in reversed(range(WEEKS))]


def days_until(today: date) -> list[date]:
    return [today - timedelta(days=number) for number in reversed(range(DAYS))]


def by_week(
    units: Mapping[tuple[date, int], int], product: int, today: date
) -> list[dict[str, object]]:
    """`{week, units}` of one product, told."""
    sums = dict.fromkeys(weeks_until(today), 0)
    for (day, owner), count in units.items():
        if owner == product and monday_of(day) in sums:
            sums[monday_of(day)] += count
    return [{"week": week.isoformat(), "units": told(count)} for week, count in sums.items()]


def by_day(units: Mapping[date, int], today: date) -> list[dict[str, object]]:
    """`{day, units}` of all products together, told."""
    days = days_until(today)
    return [{"day": day.isoformat(), "units": told(units.get(day, 0))} for day in days]


def opened(sales: Iterable[Mapping[str, Any]], moment: datetime) -> list[dict[str, Any]]:
    """Sales as they are at `moment`, which may be some seconds after they were read.

    Kept figures that still say `scheduled` would hold every page at a countdown that is over.
    """
    return [{**sale, "status": "live"} if _has_opened(sale, moment) else {**sale} for sale in sales]


def _has_opened(sale: Mapping[str, Any], moment: datetime) -> bool:
    return sale["status"] == "scheduled" and datetime.fromisoformat(sale["starts_at"]) <= moment

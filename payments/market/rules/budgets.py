"""How many calls a provider may still be asked, and for how long one that fails is left. Pure.

All windows are of UTC, as the providers' own are. A minute counts calls, a day and a month credits.
"""

import math
from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from payments.market.errors import Trouble

# Of each budget: what only a checkout may take.
RESERVE: Final = 0.1
# What one may be ahead of an even spread over the day.
LEEWAY_SECONDS: Final = 3600
DAY_SECONDS: Final = 86_400
# One failure may be anybody's; so many in a row are the provider's.
FAILURES: Final = 3
PAUSE: Final = timedelta(minutes=1)
LONGEST_PAUSE: Final = timedelta(minutes=15)
# A wrong key is for people to mend.
REFUSED_PAUSE: Final = timedelta(hours=1)


class Window(StrEnum):
    MINUTE = "minute"
    DAY = "day"
    MONTH = "month"


class Purpose(StrEnum):
    """What a call is for; a buyer who waits comes before the rest."""

    TICK = "tick"
    HISTORY = "history"
    CHECKOUT = "checkout"


LIMITED: Final = {
    Trouble.MINUTE_USED: Window.MINUTE,
    Trouble.DAY_USED: Window.DAY,
    Trouble.MONTH_USED: Window.MONTH,
}


@dataclass(frozen=True, slots=True)
class Limits:
    """Calls a minute, credits a day and a month; 0 is no limit."""

    minute: int = 0
    day: int = 0
    month: int = 0

    def of(self, window: Window) -> int:
        return {Window.MINUTE: self.minute, Window.DAY: self.day, Window.MONTH: self.month}[window]


def starts(window: Window, now: datetime) -> datetime:
    """When the window began that `now` is in."""
    minute = now.replace(second=0, microsecond=0)
    if window is Window.MINUTE:
        return minute
    day = minute.replace(hour=0, minute=0)
    return day if window is Window.DAY else day.replace(day=1)


def resets(window: Window, now: datetime) -> datetime:
    """When the window ends that `now` is in."""
    start = starts(window, now)
    if window is Window.MINUTE:
        return start + timedelta(minutes=1)
    if window is Window.DAY:
        return start + timedelta(days=1)
    return start + timedelta(days=monthrange(start.year, start.month)[1])


def reserve(limit: int) -> int:
    return math.ceil(limit * RESERVE)


def caps(
    limits: Limits, used: Mapping[Window, int], *, purpose: Purpose, now: datetime
) -> dict[Window, int]:
    """Up to what each limited window may be used, for this purpose, at this moment.

    A checkout may take all there is. Others leave the reserve, share what is left of the month
    among its days, and take of a day what of it has passed, an hour ahead at most.
    """
    limited = {window: limits.of(window) for window in Window if limits.of(window)}
    if purpose is Purpose.CHECKOUT:
        return limited
    found = {window: limit - reserve(limit) for window, limit in limited.items()}
    day = _day(found, used, now)
    return found if day is None else {**found, Window.DAY: math.ceil(day * _passed(now))}


def _day(found: Mapping[Window, int], used: Mapping[Window, int], now: datetime) -> float | None:
    """What a whole day may have."""
    shares = [float(found[Window.DAY])] if Window.DAY in found else []
    if Window.MONTH in found:
        days_left = (resets(Window.MONTH, now) - starts(Window.DAY, now)).days
        before = used.get(Window.MONTH, 0) - used.get(Window.DAY, 0)
        shares.append(max(0, found[Window.MONTH] - before) / days_left)
    return min(shares, default=None)


def _passed(now: datetime) -> float:
    seconds = (now - starts(Window.DAY, now)).total_seconds()
    return min(1.0, (seconds + LEEWAY_SECONDS) / DAY_SECONDS)


def open_until(
    trouble: Trouble, *, failures: int, now: datetime, retry_after: timedelta | None = None
) -> datetime | None:
    """Until when nobody is to ask; None where the next one may. `failures` are those in a row.

    A used-up window is waited for to its end, however often one would fail until then.
    """
    if trouble in LIMITED:
        end = resets(LIMITED[trouble], now)
        return max(end, now + retry_after) if retry_after else end
    if trouble is Trouble.REFUSED:
        return now + REFUSED_PAUSE
    if failures < FAILURES:
        return None
    doublings: int = 2 ** min(failures - FAILURES, 10)
    return now + min(LONGEST_PAUSE, PAUSE * doublings)

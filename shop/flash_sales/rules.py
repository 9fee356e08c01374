"""What a run is at a moment, what it promises, and whose units are whose. Pure."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import islice
from typing import Final

MAX_ALLOCATION: Final = 100_000
# A payment that was written before another one may commit after it.
SETTLING: Final = timedelta(seconds=1)


class RunStatus(StrEnum):
    SCHEDULED = "scheduled"
    LIVE = "live"
    SOLD_OUT = "sold_out"
    ENDED = "ended"


class UnitState(StrEnum):
    """Of one numbered unit; `returned` ones went back to the stock when the run had ended."""

    FREE = "free"
    HELD = "held"
    SOLD = "sold"
    RETURNED = "returned"


# What is counted of a run; free are the others of its allocation.
TALLIED: Final = (UnitState.HELD.value, UnitState.SOLD.value, UnitState.RETURNED.value)


class PurchaseState(StrEnum):
    HELD = "held"
    PAID = "paid"
    RELEASED = "released"


@dataclass(frozen=True, slots=True)
class Window:
    """When units may be bought: [starts_at, ends_at), and no more once it was ended."""

    starts_at: datetime
    ends_at: datetime | None = None
    ended_at: datetime | None = None

    def is_open(self, now: datetime) -> bool:
        return now >= self.starts_at and not self.is_over(now)

    def is_over(self, now: datetime) -> bool:
        return self.ended_at is not None or (self.ends_at is not None and now >= self.ends_at)

    @property
    def called_off(self) -> bool:
        """It was ended before it started: there never was such a run."""
        return self.ended_at is not None and self.ended_at <= self.starts_at

    def among(self, starts: Iterable[datetime]) -> "Window":
        """The same beside runs that start then: an open end is the start of the next of them.

        A run with an end of its own keeps it.
        """
        following = min((start for start in starts if start > self.starts_at), default=None)
        return replace(self, ends_at=following) if self.ends_at is None else self

    def overlaps(self, other: "Window") -> bool:
        """Whether both would be open at one moment."""
        return _before(self.starts_at, other.ends_at) and _before(other.starts_at, self.ends_at)


def _before(start: datetime, end: datetime | None) -> bool:
    return end is None or start < end


@dataclass(frozen=True, slots=True)
class Counts:
    """Units of a run by state; `allocation` is the sum of all four."""

    free: int
    held: int
    sold: int
    returned: int

    @property
    def allocation(self) -> int:
        return self.free + self.held + self.sold + self.returned


def status(window: Window, counts: Counts, now: datetime) -> RunStatus:
    """Unpaid holds bring a sold-out run back to life; all paid, or the end of its time, ends it."""
    if window.is_over(now) or counts.sold == counts.allocation:
        return RunStatus.ENDED
    if now < window.starts_at:
        return RunStatus.SCHEDULED
    return RunStatus.LIVE if counts.free else RunStatus.SOLD_OUT


@dataclass(frozen=True, slots=True)
class Terms:
    """What buyers of a run were promised; `price` in minor units, None where there is no limit."""

    price: int
    allocation: int
    per_order_limit: int | None
    per_user_limit: int | None
    starts_at: datetime
    ends_at: datetime | None


def broken_promise(promised: Terms, wanted: Terms) -> str | None:
    """The field that a change of a live run would make worse for its buyers."""
    worse = {
        "price": wanted.price > promised.price,
        "allocation": wanted.allocation < promised.allocation,
        "per_order_limit": _lower(promised.per_order_limit, wanted.per_order_limit),
        "per_user_limit": _lower(promised.per_user_limit, wanted.per_user_limit),
        "starts_at": wanted.starts_at != promised.starts_at,
        "ends_at": _sooner(promised.ends_at, wanted.ends_at),
    }
    return next((field for field, broken in worse.items() if broken), None)


def _lower(promised: int | None, wanted: int | None) -> bool:
    return wanted is not None and (promised is None or wanted < promised)


def _sooner(promised: datetime | None, wanted: datetime | None) -> bool:
    return wanted is not None and (promised is None or wanted < promised)


def slots(used: Collection[int], limit: int | None, quantity: int) -> tuple[int | None, ...]:
    """A slot for each unit of a user who may have `limit`, fewer where they are not left.

    None for each where nobody is limited.
    """
    if limit is None:
        return (None,) * quantity
    return tuple(islice((slot for slot in range(1, limit + 1) if slot not in used), quantity))

"""A sale's figures as they are published, and the stock they show at a moment. Pure."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol, TypeVar

from common.moments import moment_text
from shop.flash_sales.rules import Counts, Window, status

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)


class Held(Protocol):
    """A run as far as it decides which one a sale shows."""

    @property
    def starts_at(self) -> datetime: ...
    @property
    def window(self) -> Window: ...


R = TypeVar("R", bound=Held)


def shown(runs: Sequence[R], now: datetime) -> list[R]:
    """Of all runs by their start: the last that has started, else the first; and those after it.

    Runs that were called off are left out, unless there is no other.
    """
    held = [run for run in runs if not run.window.called_off] or list(runs[-1:])
    started = sum(run.starts_at <= now for run in held)
    return held[max(started - 1, 0) :]


@dataclass(frozen=True, slots=True)
class RunFigures:
    """A run's window and its units by state."""

    number: int
    allocation: int
    starts_at: datetime
    ends_at: datetime | None
    ended_at: datetime | None
    counts: Counts

    @property
    def window(self) -> Window:
        return Window(self.starts_at, self.ends_at, self.ended_at)


@dataclass(frozen=True, slots=True)
class Figures:
    """What a sale had at `at`, by the database's clock: its shown run, and those after it."""

    at: datetime
    runs: tuple[RunFigures, ...]

    def changes_after(self, now: datetime) -> datetime | None:
        """The next moment at which they show something else, though nobody buys."""
        moments = [m for run in self.runs for m in (run.starts_at, run.ends_at) if m is not None]
        return min((moment for moment in moments if moment > now), default=None)


@dataclass(frozen=True, slots=True)
class Stock:
    """What `stock/` and each `stock` event say."""

    run: int
    status: str
    allocation: int
    remaining: int
    held: int
    sold: int
    as_of: datetime

    def body(self) -> dict[str, Any]:
        moment = moment_text(self.as_of)
        return {**self.unmoved(), "as_of": moment}

    def unmoved(self) -> dict[str, Any]:
        """What makes it another event when it changes: everything but the moment."""
        return {name: getattr(self, name) for name in self.__slots__ if name != "as_of"}


def stock(figures: Figures, now: datetime) -> Stock | None:
    """The stock at `now`; None where no run was ever planned.

    What it is follows from the clock, so that a start or an end shows without being published.
    """
    if not figures.runs:
        return None
    run = shown(figures.runs, now)[0]
    passed = [m for m in (run.starts_at, run.ends_at) if m is not None and m <= now]
    return Stock(
        run=run.number,
        status=status(run.window, run.counts, now).value,
        allocation=run.allocation,
        remaining=run.counts.free,
        held=run.counts.held,
        sold=run.counts.sold,
        as_of=max([figures.at, *passed]),
    )


def micros(moment: datetime) -> int:
    return (moment - EPOCH) // MICROSECOND


def moment(micro: int) -> datetime:
    return EPOCH + micro * MICROSECOND


def encode(runs: Sequence[RunFigures]) -> str:
    """The same runs give the same text: it tells whether there is news."""
    return json.dumps([_plain(run) for run in runs], separators=(",", ":"))


def decode(text: str | bytes, at: datetime) -> Figures:
    return Figures(at, tuple(_run(*row) for row in json.loads(text)))


def _plain(run: RunFigures) -> list[int | None]:
    moments = (run.starts_at, run.ends_at, run.ended_at)
    counts = run.counts
    return [
        run.number,
        run.allocation,
        *(None if m is None else micros(m) for m in moments),
        *(counts.free, counts.held, counts.sold, counts.returned),
    ]


def _run(
    number: int, allocation: int, start: int, end: int | None, ended: int | None, *counts: int
) -> RunFigures:
    return RunFigures(
        number,
        allocation,
        moment(start),
        None if end is None else moment(end),
        None if ended is None else moment(ended),
        Counts(*counts),
    )

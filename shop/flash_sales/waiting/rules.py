"""Whose turn it is. Pure.

A room counts who has come (`last`) and how many were let in (`gone`), which grows by the rate while
somebody waits: number 7 may buy once `gone` is 7. Nothing is saved up while nobody waits.
"""

import math
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from common.moments import moment_text

MAX_RATE = 10_000


class PlaceStatus(StrEnum):
    OPEN = "open"
    WAITING = "waiting"
    ADMITTED = "admitted"
    LAPSED = "lapsed"


@dataclass(frozen=True, slots=True)
class Room:
    """`key` tells it from one that was lost; `at` is in microseconds of its store's clock."""

    key: int
    last: int
    gone: float
    at: int

    def moved_on(self, now: int, rate: float, open_seconds: float) -> "Room":
        """At `now`; for no longer than the run has been open."""
        seconds = max(0.0, min((now - self.at) / 1e6, open_seconds))
        # One more than have come: who comes to an empty room does not wait.
        gone = min(self.gone + seconds * rate, self.last + 1.0)
        return replace(self, gone=max(gone, self.gone), at=now)


@dataclass(frozen=True, slots=True)
class Ticket:
    """A place, as it is signed. `ahead`: how many were before it when it was `issued`."""

    run: int
    user: int
    room: int
    number: int
    ahead: int
    issued: datetime

    def turn(self, rate: int) -> datetime:
        """When it comes as far as the ticket knows: enough where the room itself was lost."""
        return self.issued + timedelta(seconds=self.ahead / rate)


@dataclass(frozen=True, slots=True)
class Place:
    """What a buyer is told. `position` 1 is next; 0 from when it is his turn."""

    run: int
    status: PlaceStatus
    position: int = 0
    wait_seconds: int = 0
    admitted_until: datetime | None = None
    ticket: str | None = None

    def body(self) -> dict[str, Any]:
        until = self.admitted_until
        return {
            "run": self.run,
            "status": self.status.value,
            "position": self.position,
            "wait_seconds": self.wait_seconds,
            "admitted_until": until and moment_text(until),
            "ticket": self.ticket,
        }


def waiting(run: int, position: int, rate: int) -> Place:
    return Place(run, PlaceStatus.WAITING, position, math.ceil(position / rate))


def admitted(run: int, turn: datetime, now: datetime, lasts: timedelta) -> Place:
    """From its turn on for a while: else the places of people who have left would pile up."""
    if now >= turn + lasts:
        return Place(run, PlaceStatus.LAPSED)
    return Place(run, PlaceStatus.ADMITTED, admitted_until=turn + lasts)


def estimated(ticket: Ticket, run: int, rate: int, now: datetime, lasts: timedelta) -> Place:
    """Of a ticket whose room is lost: by itself it knows how long it had to wait."""
    turn = ticket.turn(rate)
    if now >= turn:
        return admitted(run, turn, now, lasts)
    return waiting(run, max(1, math.ceil((turn - now).total_seconds() * rate)), rate)

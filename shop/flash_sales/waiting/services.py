"""Places in a waiting room: taken, looked at, and asked for when somebody buys."""

import logging
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from django.conf import settings
from django.core import signing

from common.limits.services import STAND_IN_SHARE
from shop.flash_sales.waiting import selectors
from shop.flash_sales.waiting.errors import InvalidTicket, NotAdmitted, NotQueued
from shop.flash_sales.waiting.rules import (
    Place,
    PlaceStatus,
    Ticket,
    admitted,
    estimated,
    waiting,
)
from shop.flash_sales.waiting.selectors import Awaited
from shop.flash_sales.waiting.store import AWAY, Terms, Visit, own_rooms, rooms

logger = logging.getLogger(__name__)

SALT: Final = "shop.flash_sales.waiting"


def place_take(*, slug: str, user_id: int) -> Place:
    """The caller's place in the room of the open or coming run; the same one however often.

    Raises NoSuchSale, SaleEnded.
    """
    run = selectors.run_awaited(slug)
    if run.rate is None:
        return Place(run.number, PlaceStatus.OPEN)
    visit, share = _join(run, user_id, run.rate)
    return _with_ticket(run, run.rate, user_id, visit, share)


def place_get(*, slug: str, user_id: int, ticket: str | None = None) -> Place:
    """By the ticket, or else by who asks.

    Raises NoSuchSale, SaleEnded, NotQueued, InvalidTicket.
    """
    run = selectors.run_awaited(slug)
    own = None if ticket is None else _own(ticket, run.pk, user_id)
    if run.rate is None:
        return Place(run.number, PlaceStatus.OPEN)
    if own is not None:
        return replace(_place(run, run.rate, own), ticket=ticket)
    visit = _look(run, run.rate, user=user_id)
    if visit is None or not visit.number:
        raise NotQueued
    return _with_ticket(run, run.rate, user_id, visit, 1)


def place_shown(*, slug: str, ticket: str) -> tuple[Ticket, Place]:
    """The place of whoever holds the ticket, for a stream. Raises InvalidTicket."""
    read = _read(ticket)
    run = selectors.run_by_key(read.run)
    if run is None or run.slug != slug:
        raise InvalidTicket
    if run.rate is None:
        return read, Place(run.number, PlaceStatus.OPEN)
    return read, _place(run, run.rate, read)


class Look(NamedTuple):
    """A run and its room at one moment; whoever waits in it is told his place by these."""

    run: Awaited
    visit: Visit | None


def room_look(run_id: int) -> Look | None:
    """None where there is no such run."""
    run = selectors.run_by_key(run_id)
    if run is None:
        return None
    return Look(run, None if run.rate is None else _look(run, run.rate))


def place_follow(room: Look, ticket: Ticket, before: Place) -> Place:
    """The place of a ticket that was at `before` when it was last looked at. Asks nobody."""
    run, visit = room
    if run.rate is None:
        return Place(run.number, PlaceStatus.OPEN)
    if before.admitted_until is not None and run.now < before.admitted_until:
        return before
    if before.status in (PlaceStatus.ADMITTED, PlaceStatus.LAPSED):
        return Place(run.number, PlaceStatus.LAPSED)
    if visit is None or visit.room != ticket.room:
        return _estimated(run, run.rate, ticket)
    number = ticket.number
    since = 0.0 if number <= visit.gone else None
    return _seen(run, run.rate, visit._replace(number=number, since=since))


def admission_require(*, run_id: int, rate: int | None, user_id: int, ticket: str | None) -> None:
    """Raises NotAdmitted, unless the sale has no waiting room or it is the caller's turn."""
    if rate is None:
        return
    run = selectors.run_by_key(run_id)
    if ticket is None or run is None:
        raise NotAdmitted
    try:
        place = _place(run, rate, _own(ticket, run_id, user_id))
    except InvalidTicket as wrong:
        raise NotAdmitted from wrong
    if place.status == PlaceStatus.WAITING:
        raise NotAdmitted(position=place.position, wait=place.wait_seconds)
    if place.status != PlaceStatus.ADMITTED:
        raise NotAdmitted


def _lasts() -> timedelta:
    return timedelta(seconds=settings.WAITING_ROOM_SECONDS)


def _terms(run: Awaited, rate: int) -> Terms:
    return Terms(rate, run.open_seconds, _lasts().total_seconds())


def _join(run: Awaited, user_id: int, rate: int) -> tuple[Visit, int]:
    """Without Redis in this process' own room, as one of several that share the rate."""
    try:
        return rooms().join(run.pk, user_id, _terms(run, rate)), 1
    except AWAY as error:
        logger.warning("flash.no_room", extra={"error": type(error).__name__})
        return own_rooms().join(run.pk, user_id, _terms(run, rate)), STAND_IN_SHARE


def _look(run: Awaited, rate: int, *, user: int = 0, number: int = 0) -> Visit | None:
    try:
        return rooms().look(run.pk, _terms(run, rate), user=user, number=number)
    except AWAY:
        return None


def _place(run: Awaited, rate: int, ticket: Ticket) -> Place:
    visit = _look(run, rate, number=ticket.number)
    # A room that has begun anew knows nothing of the numbers of the lost one.
    if visit is None or visit.room != ticket.room:
        return _estimated(run, rate, ticket)
    return _seen(run, rate, visit)


def _estimated(run: Awaited, rate: int, ticket: Ticket) -> Place:
    # Before the start nobody is let in.
    started = max(ticket.issued, run.starts_at)
    return estimated(replace(ticket, issued=started), run.number, rate, run.now, _lasts())


def _seen(run: Awaited, rate: int, visit: Visit) -> Place:
    if visit.since is None:
        return waiting(run.number, visit.number - visit.gone, rate)
    turn = run.now - timedelta(seconds=visit.since)
    return admitted(run.number, turn, run.now, _lasts())


def _with_ticket(run: Awaited, rate: int, user_id: int, visit: Visit, share: int) -> Place:
    ahead = max(0, visit.number - visit.gone) * share
    ticket = Ticket(run.pk, user_id, visit.room, visit.number, ahead, run.now)
    return replace(_seen(run, rate, visit), ticket=_signed(ticket))


def _signed(ticket: Ticket) -> str:
    values = [ticket.run, ticket.user, ticket.room, ticket.number, ticket.ahead]
    return signing.dumps([*values, ticket.issued.isoformat()], salt=SALT)


def _read(text: str) -> Ticket:
    try:
        run, user, room, number, ahead, issued = signing.loads(text, salt=SALT)
    except signing.BadSignature as forged:
        raise InvalidTicket from forged
    return Ticket(run, user, room, number, ahead, datetime.fromisoformat(issued))


def _own(text: str, run_id: int, user_id: int) -> Ticket:
    ticket = _read(text)
    if (ticket.run, ticket.user) != (run_id, user_id):
        raise InvalidTicket
    return ticket

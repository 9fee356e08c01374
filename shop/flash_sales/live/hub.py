"""Who listens to which sale, on one asyncio loop: one subscription, one figure each for thousands.

A listener has no queue. It is woken and takes what its sale shows then, so that a slow one misses
what was in between and never what is last.
"""

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial
from typing import Final, TypeVar

from django.db import DatabaseError, close_old_connections

from common.errors import Busy
from shop.flash_sales.errors import NoSuchRun, NoSuchSale
from shop.flash_sales.live import services
from shop.flash_sales.live.rules import stock
from shop.flash_sales.live.store import AWAY, Published, board
from shop.flash_sales.waiting import services as waiting
from shop.flash_sales.waiting.rules import Place, Ticket
from shop.flash_sales.waiting.services import Look

T = TypeVar("T")

HEARTBEAT_SECONDS: Final = 15.0
# News may be lost on their way; and without Redis there are none, only what MySQL answers.
LOOK_SECONDS: Final = 2.0
ADMIT_SECONDS: Final = 1.0
# A browser that lost the stream waits so long before it connects again.
RETRY: Final = b"retry: 2000\n\n"
HEARTBEAT: Final = b": still here\n\n"


class Channel:
    """What one sale shows, and who is woken when that changes."""

    def __init__(self, slug: str, first: Published) -> None:
        self.slug, self.published = slug, first
        self.listeners: set[Listener] = set()
        self.id, self.data, self.beats = 0, b"", 0
        self._shown: dict[str, object] = {}
        self._clock = first.figures.at, 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._set_clock(first.now or first.figures.at)
        self.show()

    def accept(self, found: Published) -> None:
        """Newer figures take the place of those there are; older ones come too late."""
        if found.now is not None:
            self._set_clock(found.now)
        if found.version > self.published.version:
            self.published = found
        self.show()

    def show(self) -> None:
        """Tell the listeners, if the sale now shows something else than before."""
        now = self._now()
        shown = stock(self.published.figures, now)
        if shown is not None and shown.unmoved() != self._shown:
            self._shown = shown.unmoved()
            # A start or an end has no version of its own; the next version is far above.
            self.id = max(self.published.version, self.id + 1)
            body = json.dumps(shown.body(), separators=(",", ":"))
            self.data = f"id: {self.id}\nevent: stock\ndata: {body}\n\n".encode()
            self._wake()
        self._wait_for_the_clock(now)

    def beat(self) -> None:
        """Have each listener sent something: else nobody notices that a connection is dead."""
        self.beats += 1
        self._wake()

    def tickets(self) -> "dict[int, list[Listener]]":
        """Those who wait for their turn as well, by the run they wait for."""
        found: dict[int, list[Listener]] = {}
        for listener in self.listeners:
            if listener.ticket is not None:
                found.setdefault(listener.ticket.run, []).append(listener)
        return found

    def _wake(self) -> None:
        for listener in self.listeners:
            listener.woken.set()

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _set_clock(self, now: datetime) -> None:
        """The database's time goes on by this loop's clock."""
        self._clock = now, asyncio.get_running_loop().time()

    def _now(self) -> datetime:
        moment, then = self._clock
        return moment + timedelta(seconds=asyncio.get_running_loop().time() - then)

    def _wait_for_the_clock(self, now: datetime) -> None:
        self.close()
        moment = self.published.figures.changes_after(now)
        if moment is not None:
            seconds = (moment - now).total_seconds()
            self._timer = asyncio.get_running_loop().call_later(seconds + 0.001, self.show)


class Listener:
    """One connection; `next` gives what is to be sent to it."""

    __slots__ = (
        "address", "beats", "channel", "left", "over", "place", "sent", "ticket", "told", "woken",
    )  # fmt: skip

    def __init__(self, channel: Channel, address: str, sent: int, left: int | None) -> None:
        self.channel, self.address, self.sent, self.left = channel, address, sent, left
        self.ticket: Ticket | None = None
        self.place: Place | None = None
        self.told: Place | None = None
        self.over, self.beats, self.woken = False, -1, asyncio.Event()
        self.woken.set()

    def moves_to(self, place: Place) -> None:
        """His place in the waiting room, which he is told of if it is another one."""
        self.place = place
        if place != self.told:
            self.woken.set()

    async def next(self) -> bytes | None:
        """The newest events, or a heartbeat; None at the end."""
        while self.left != 0:
            await self.woken.wait()
            self.woken.clear()
            if self.over:
                return None
            alive, self.beats = self.beats == self.channel.beats, self.channel.beats
            news = self._news()
            if news:
                self.left = self.left and self.left - 1
            if news or not alive:
                return news or HEARTBEAT
        return None

    def _news(self) -> bytes:
        news = b""
        if self.sent != self.channel.id:
            self.sent, news = self.channel.id, self.channel.data
        if self.place is not None and self.place != self.told:
            self.told = self.place
            body = json.dumps(self.place.body(), separators=(",", ":"))
            # Without an id: it is his own, and the next stream tells it anew.
            news += f"event: position\ndata: {body}\n\n".encode()
        return news

    def end(self) -> None:
        self.over = True
        self.woken.set()


class Hub:
    """All listeners of a process. Everything but `__init__` runs on its loop."""

    def __init__(self, *, most: int, most_of_one: int) -> None:
        self._most, self._most_of_one = most, most_of_one
        self._channels: dict[str, Channel] = {}
        self._addresses: Counter[str] = Counter()
        self._closing = False
        self._tasks: list[asyncio.Task[None]] = []
        # However many listen, so many database connections are open.
        self._readers = ThreadPoolExecutor(2, thread_name_prefix="figures")

    def start(self) -> None:
        work = (self._follow(), self._look(), self._admit(), self._beat())
        self._tasks = [asyncio.create_task(each) for each in work]

    async def join(
        self,
        slug: str,
        *,
        address: str,
        last_id: int | None = None,
        most: int | None = None,
        ticket: str | None = None,
    ) -> Listener:
        """A listener who has seen the event `last_id`, and may wait for his turn with a ticket.

        Raises NoSuchSale, NoSuchRun, InvalidTicket, Busy.
        """
        if self._closing or self.listeners >= self._most:
            raise Busy(retry_after=5)
        if self._addresses[address] >= self._most_of_one:
            raise Busy(retry_after=30)
        place = None if ticket is None else await self._call(_shown, slug, ticket)
        channel = self._channels.get(slug)
        if channel is None or (last_id or 0) > channel.id:
            # Another process has told him more than this one knows.
            channel = await self._load(slug)
        listener = Listener(channel, address, last_id or 0, most)
        if place is not None:
            listener.ticket, listener.place = place
        channel.listeners.add(listener)
        self._addresses[address] += 1
        return listener

    def leave(self, listener: Listener) -> None:
        channel = listener.channel
        if listener in channel.listeners:
            channel.listeners.remove(listener)
            self._addresses -= Counter([listener.address])
            if not channel.listeners:
                channel.close()
                self._channels.pop(channel.slug, None)

    @property
    def listeners(self) -> int:
        return self._addresses.total()

    def close(self) -> None:
        """End every stream; whoever listens connects again, elsewhere."""
        self._closing = True
        for channel in self._channels.values():
            for listener in channel.listeners:
                listener.end()
        for task in self._tasks:
            task.cancel()
        self._readers.shutdown(wait=False)

    async def _load(self, slug: str) -> Channel:
        found = await self._call(services.figures_now, slug)
        if not found.figures.runs:
            raise NoSuchRun
        channel = self._channels.setdefault(slug, Channel(slug, found))
        channel.accept(found)
        return channel

    async def _call(self, work: Callable[..., T], *args: object) -> T:
        """`work` in one of the few threads that talk to the database."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._readers, _called, partial(work, *args))

    async def _follow(self) -> None:
        """The one subscription of this process; made again where it breaks."""
        while True:
            with contextlib.suppress(*AWAY):
                async with contextlib.aclosing(board().news()) as news:
                    async for slug, published in news:
                        if channel := self._channels.get(slug):
                            channel.accept(published)
            await asyncio.sleep(0.5)

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            for channel in list(self._channels.values()):
                with contextlib.suppress(NoSuchSale, DatabaseError):
                    channel.accept(await self._call(services.figures_now, channel.slug))

    async def _admit(self) -> None:
        """However many wait, a room is asked once a second."""
        while True:
            await asyncio.sleep(ADMIT_SECONDS)
            for channel in list(self._channels.values()):
                for run_id, listeners in channel.tickets().items():
                    with contextlib.suppress(DatabaseError):
                        room = await self._call(waiting.room_look, run_id)
                        for listener in listeners if room else ():
                            _move(listener, room)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_SECONDS)
            for channel in self._channels.values():
                channel.beat()


def _called(work: Callable[[], T]) -> T:
    close_old_connections()
    try:
        return work()
    finally:
        close_old_connections()


def _shown(slug: str, ticket: str) -> tuple[Ticket, Place]:
    return waiting.place_shown(slug=slug, ticket=ticket)


def _move(listener: Listener, room: Look | None) -> None:
    if room is not None and listener.ticket is not None and listener.place is not None:
        listener.moves_to(waiting.place_follow(room, listener.ticket, listener.place))

"""The same streams out of a WSGI server's threads, a few of them: `make run` has no ASGI server."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from functools import partial
from typing import Any, Final, NamedTuple, TypeVar

from django.conf import settings

from common.errors import Busy, SoukError
from shop.flash_sales.live import services
from shop.flash_sales.live.hub import RETRY, Hub, Listener
from shop.flash_sales.waiting import services as waiting

T = TypeVar("T")

# Longer than MySQL takes to answer, or to be given up.
ANSWER_SECONDS: Final = 40.0


class Asked(NamedTuple):
    """The event that was seen last, how many are wanted, and whose place."""

    last_id: int | None
    most: int | None
    ticket: str | None


class Loop:
    """A hub on an asyncio loop in a thread of its own, from the first listener on."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self.hub: Hub | None = None

    def run(self, work: Coroutine[Any, Any, T], seconds: float | None = None) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._started()).result(seconds)

    def close(self) -> None:
        """End every stream; the threads that serve them are free then."""
        if self._loop is not None and self.hub is not None:
            self._loop.call_soon_threadsafe(self.hub.close)

    def later(self, work: Callable[[], object]) -> None:
        """Have the loop do something, if there is a loop."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(work)

    @property
    def listeners(self) -> int:
        return 0 if self.hub is None else self.hub.listeners

    def _started(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=self._loop.run_forever, name="streams", daemon=True).start()
                asyncio.run_coroutine_threadsafe(self._make_hub(), self._loop).result()
            return self._loop

    async def _make_hub(self) -> None:
        # A thread for each listener: those who are too many are refused, not made to wait.
        most = settings.STREAM_INLINE
        self.hub = Hub(most=most, most_of_one=most)
        self.hub.start()


loop: Final = Loop()


class Events:
    """A response's content; the server closes it when the client has gone."""

    def __init__(self, join: Callable[[], Coroutine[Any, Any, Listener]]) -> None:
        self._join: Callable[[], Coroutine[Any, Any, Listener]] | None = join
        self._listener: Listener | None = None

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if self._join is not None:
            return self._first(self._join)
        chunk = None if self._listener is None else loop.run(self._listener.next())
        if chunk is None:
            raise StopIteration
        return chunk

    def _first(self, join: Callable[[], Coroutine[Any, Any, Listener]]) -> bytes:
        # Not before: what is never read would never be closed by some servers.
        self._join = None
        with suppress(SoukError):
            self._listener = loop.run(join(), ANSWER_SECONDS)
        return RETRY

    def close(self) -> None:
        if self._listener is not None:
            loop.run(_leave(self._listener))


def events(slug: str, *, address: str, asked: Asked) -> Events:
    """Raises NoSuchSale, NoSuchRun, InvalidTicket, Busy."""
    services.stock_now(slug)
    if asked.ticket is not None:
        waiting.place_shown(slug=slug, ticket=asked.ticket)
    if loop.listeners >= settings.STREAM_INLINE:
        raise Busy(retry_after=5)
    return Events(partial(_join, slug, address, asked))


async def _join(slug: str, address: str, asked: Asked) -> Listener:
    if loop.hub is None:
        raise Busy(retry_after=5)
    return await loop.hub.join(slug, address=address, **asked._asdict())


async def _leave(listener: Listener) -> None:
    if loop.hub is not None:
        loop.hub.leave(listener)

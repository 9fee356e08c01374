"""The streams as an ASGI application of their own: no Django view, no thread for a listener.

GET /api/v1/flash-sales/{slug}/stream/    the events; other places are given by the composition root
GET /livez                                whether the process answers, and how many listen
"""

import asyncio
import json
import logging
import re
import signal
import time
from collections.abc import Awaitable, Callable, Iterable, MutableMapping, Sequence
from dataclasses import dataclass
from types import FrameType
from typing import Any, Final
from urllib.parse import parse_qsl

from django.conf import settings
from rest_framework.exceptions import ValidationError

from common import context, errors
from common.addresses import bucket, rightmost_untrusted
from common.api import problems
from common.api.serializers import QuerySerializer, validated
from common.errors import SoukError
from shop.flash_sales.live.hub import RETRY, Hub, Listener
from shop.flash_sales.serializers import StreamQuery

logger = logging.getLogger("souk.request")

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

EVENTS: Final = "text/event-stream; charset=utf-8"


class MethodNotAllowed(SoukError):
    status = 405
    code = "method_not_allowed"
    title = "Only GET is known here."


@dataclass(frozen=True, slots=True)
class Place:
    """One kind of stream: where it is, what may be asked, and whose channel that is.

    `channel` gets the path's match and the valid query; each place has a hub of its own.
    """

    path: re.Pattern[str]
    route: str
    query: type[QuerySerializer]
    hub: type[Hub]
    channel: Callable[[re.Match[str], dict[str, Any]], str]


STOCK: Final = Place(
    path=re.compile(r"/api/v1/flash-sales/([-\w]+)/stream/", re.ASCII),
    route="/api/v1/flash-sales/<slug:slug>/stream/",
    query=StreamQuery,
    hub=Hub,
    channel=lambda found, _: found[1],
)


class Streams:
    """The application; one hub for each place, in each process that serves it."""

    def __init__(self, places: Sequence[Place] = (STOCK,)) -> None:
        self._places = places
        self._hubs: dict[str, Hub] = {}

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._answer(Request(scope, self._places), receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        self._end_on_sigterm([self.hub(place) for place in self._places])
        await send({"type": "lifespan.startup.complete"})
        await receive()
        for hub in self._hubs.values():
            hub.close()
        await send({"type": "lifespan.shutdown.complete"})

    def hub(self, place: Place) -> Hub:
        if place.route not in self._hubs:
            most, of_one = settings.STREAM_MAX_LISTENERS, settings.STREAM_MAX_PER_ADDRESS
            hub = self._hubs[place.route] = place.hub(most=most, most_of_one=of_one)
            hub.start()
        return self._hubs[place.route]

    def _end_on_sigterm(self, hubs: Sequence[Hub]) -> None:
        """Streams never end by themselves, and a server waits for its requests before it does."""
        loop = asyncio.get_running_loop()

        def end(_signal: int, _frame: FrameType | None) -> None:
            for hub in hubs:
                loop.call_soon_threadsafe(hub.close)

        for number in (signal.SIGTERM, signal.SIGINT):
            # Beside the server's own: asyncio hears of a signal by another way than this handler.
            signal.signal(number, end)

    async def _answer(self, request: "Request", receive: Receive, send: Send) -> None:
        token, started = context.request_id.set(request.id), time.monotonic()
        try:
            status = await self._respond(request, receive, send)
        finally:
            context.request_id.reset(token)
        request.log(status, time.monotonic() - started)

    async def _respond(self, request: "Request", receive: Receive, send: Send) -> int:
        try:
            if request.path == "/livez":
                listeners = sum(hub.listeners for hub in self._hubs.values())
                body = {"status": "ok", "listeners": listeners}
                return await request.send_json(send, 200, body)
            hub, listener = await self._join(request)
        except (SoukError, ValidationError) as error:
            return await request.send_problem(send, error)
        try:
            await _stream(request, listener, receive, send)
        finally:
            hub.leave(listener)
        return 200

    async def _join(self, request: "Request") -> tuple[Hub, Listener]:
        place, found = request.place, request.found
        if place is None or found is None:
            raise errors.NotFound
        if request.method != "GET":
            raise MethodNotAllowed
        query, hub = request.query(place.query), self.hub(place)
        listener = await hub.join(
            place.channel(found, query),
            address=request.address,
            last_id=request.last_id,
            most=query.get("events"),
            ticket=query.get("ticket"),
        )
        return hub, listener


async def _stream(request: "Request", listener: Listener, receive: Receive, send: Send) -> None:
    gone = asyncio.ensure_future(_gone(receive))
    gone.add_done_callback(lambda _: listener.end())
    try:
        await request.start(send, 200, EVENTS)
        chunk: bytes | None = RETRY
        while chunk is not None:
            # Waits while the client reads slowly; the listener has one event for him, the newest.
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
            chunk = await listener.next()
        await send({"type": "http.response.body", "body": b"", "more_body": False})
    finally:
        gone.cancel()


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class Request:
    """What is asked of a request, and how it is answered."""

    def __init__(self, scope: Message, places: Sequence[Place]) -> None:
        self._scope = scope
        self.path: str = scope["path"]
        self.place = next((each for each in places if each.path.fullmatch(self.path)), None)
        self.found = None if self.place is None else self.place.path.fullmatch(self.path)
        self.method: str = scope["method"]
        self.headers = {k.decode("latin-1").lower(): v.decode("latin-1") for k, v in _pairs(scope)}
        self.id = context.new_request_id(self.headers.get("x-request-id"))

    @property
    def address(self) -> str:
        peer = (self._scope.get("client") or ("",))[0]
        forwarded = self.headers.get("x-forwarded-for", "")
        return bucket(rightmost_untrusted(peer, forwarded, settings.TRUSTED_PROXIES))

    @property
    def last_id(self) -> int | None:
        text = self.headers.get("last-event-id", "")
        return int(text) if text.isascii() and text.isdigit() and len(text) < 17 else None

    def query(self, serializer: type[QuerySerializer]) -> dict[str, Any]:
        """Raises ValidationError."""
        return validated(serializer, dict(parse_qsl(self._scope["query_string"].decode("latin-1"))))

    async def send_json(self, send: Send, status: int, body: Any, **how: Any) -> int:
        await self.start(send, status, how.pop("content_type", "application/json"), how)
        await send({"type": "http.response.body", "body": json.dumps(body).encode()})
        return status

    async def send_problem(self, send: Send, error: Exception) -> int:
        told = problems.translate(error) or errors.SoukError()
        more = {name.lower(): value for name, value in problems.headers(told, error).items()}
        if told.status == MethodNotAllowed.status:
            more["allow"] = "GET"
        await self.start(send, told.status, problems.CONTENT_TYPE, more)
        body = json.dumps(problems.problem(told, self.path)).encode()
        await send({"type": "http.response.body", "body": body})
        return told.status

    async def start(
        self, send: Send, status: int, content_type: str, more: dict[str, str] | None = None
    ) -> None:
        headers = {**_HEADERS, "content-type": content_type, "x-request-id": self.id}
        headers |= self._cross_origin() | (more or {})
        pairs = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": status, "headers": pairs})

    def _cross_origin(self) -> dict[str, str]:
        origin = self.headers.get("origin")
        if origin not in settings.CORS_ALLOWED_ORIGINS:
            return {}
        return {"access-control-allow-origin": str(origin), "vary": "origin"}

    def log(self, status: int, seconds: float) -> None:
        facts = {"method": self.method if self.method == "GET" else "other", "status": status}
        facts["route"] = self.place.route if self.place else "none"
        level = logging.DEBUG if self.path == "/livez" else logging.INFO
        logger.log(level, "request", extra={**facts, "duration_ms": round(seconds * 1000, 1)})


_HEADERS: Final = {
    "cache-control": "no-store",
    # nginx keeps what it is sent until it has a buffer full, unless it is told not to.
    "x-accel-buffering": "no",
    "x-content-type-options": "nosniff",
}


def _pairs(scope: Message) -> Iterable[tuple[bytes, bytes]]:
    pairs: Headers = scope["headers"]
    return pairs

"""The streams as an ASGI application of their own: no Django view, no thread for a listener.

GET /api/v1/flash-sales/{slug}/stream/    the events
GET /livez                                whether the process answers, and how many listen
"""

import asyncio
import json
import logging
import re
import signal
import time
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from types import FrameType
from typing import Any, Final
from urllib.parse import parse_qsl

from django.conf import settings
from rest_framework.exceptions import ValidationError

from common import context, errors
from common.addresses import bucket, rightmost_untrusted
from common.api import problems
from common.errors import SoukError
from shop.flash_sales.live.hub import RETRY, Hub, Listener
from shop.flash_sales.serializers import StreamQuery

logger = logging.getLogger("souk.request")

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

PATH: Final = re.compile(r"/api/v1/flash-sales/([-\w]+)/stream/", re.ASCII)
ROUTE: Final = "/api/v1/flash-sales/<slug:slug>/stream/"
EVENTS: Final = "text/event-stream; charset=utf-8"


class MethodNotAllowed(SoukError):
    status = 405
    code = "method_not_allowed"
    title = "Only GET is known here."


class Streams:
    """The application; one hub for each process that serves it."""

    def __init__(self) -> None:
        self._hub: Hub | None = None

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._answer(Request(scope), receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        self._end_on_sigterm(self.hub)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self.hub.close()
        await send({"type": "lifespan.shutdown.complete"})

    @property
    def hub(self) -> Hub:
        if self._hub is None:
            self._hub = Hub(
                most=settings.STREAM_MAX_LISTENERS, most_of_one=settings.STREAM_MAX_PER_ADDRESS
            )
            self._hub.start()
        return self._hub

    def _end_on_sigterm(self, hub: Hub) -> None:
        """Streams never end by themselves, and a server waits for its requests before it does."""
        loop = asyncio.get_running_loop()

        def end(_signal: int, _frame: FrameType | None) -> None:
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
                body = {"status": "ok", "listeners": self.hub.listeners}
                return await request.send_json(send, 200, body)
            listener = await self._join(request)
        except (SoukError, ValidationError) as error:
            return await request.send_problem(send, error)
        try:
            await _stream(request, listener, receive, send)
        finally:
            self.hub.leave(listener)
        return 200

    async def _join(self, request: "Request") -> Listener:
        found = PATH.fullmatch(request.path)
        if found is None:
            raise errors.NotFound
        if request.method != "GET":
            raise MethodNotAllowed
        query = request.query()
        return await self.hub.join(
            found[1],
            address=request.address,
            last_id=request.last_id,
            most=query.get("events"),
            ticket=query.get("ticket"),
        )


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

    def __init__(self, scope: Message) -> None:
        self._scope = scope
        self.path: str = scope["path"]
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

    def query(self) -> dict[str, Any]:
        """Raises ValidationError."""
        asked = StreamQuery(data=dict(parse_qsl(self._scope["query_string"].decode("latin-1"))))
        asked.is_valid(raise_exception=True)
        return dict(asked.validated_data)

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
        facts["route"] = ROUTE if PATH.fullmatch(self.path) else "none"
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


application: Final = Streams()

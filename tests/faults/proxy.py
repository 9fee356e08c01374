"""A TCP proxy that goes wrong on demand, between the shop and a server it needs."""

import asyncio
import socket
import struct
import threading
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from typing import Any, Self


class Kind(Enum):
    NORMAL = "normal"
    DELAY = "each chunk waits"
    DROP = "bytes are swallowed, the connection stays open"
    HALF_OPEN = "accepted and never answered; the server's end is gone without a FIN"
    RESET = "the client's side is reset"
    RESET_AFTER = "the request is forwarded, its answer is swallowed, the client's side is reset"


@dataclass(frozen=True)
class Fault:
    """`seconds` for a delay; the resets wait for the `nth` request that contains `request`, or for
    every one with `nth=0`."""

    kind: Kind = Kind.NORMAL
    seconds: float = 0.0
    request: bytes = b""
    nth: int = 1


NORMAL = Fault()


def timed(call: Callable[[], Any]) -> tuple[Any, float]:
    """What the call returned, and its seconds."""
    started = time.monotonic()
    return call(), time.monotonic() - started


def reset(writer: asyncio.StreamWriter) -> None:
    """Close with RST instead of FIN."""
    linger = struct.pack("ii", 1, 0)
    with suppress(OSError):
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()


class Link:
    """One client's connection and its other half at the server."""

    def __init__(self, proxy: "Proxy", client: asyncio.StreamWriter) -> None:
        self.proxy, self.client = proxy, client
        self.server: asyncio.StreamWriter | None = None
        self.own: Fault | None = None
        self.sent = False

    @property
    def fault(self) -> Fault:
        return self.own or self.proxy.fault

    async def request(self, chunk: bytes) -> bool:
        """Whether the server is to have what the client sent."""
        fault = self.fault
        if fault.kind is Kind.DELAY:
            await asyncio.sleep(fault.seconds)
        if fault.kind in (Kind.RESET, Kind.RESET_AFTER) and fault.request in chunk:
            self.proxy.hits += 1
            if fault.nth not in (0, self.proxy.hits):
                return True
            if fault.kind is Kind.RESET:
                self.reset()
                return False
            self.sent = True
        return fault.kind not in (Kind.DROP, Kind.HALF_OPEN)

    async def answer(self, _: bytes) -> bool:
        """Whether the client is to have what the server sent."""
        fault = self.fault
        if self.sent:
            self.reset()
            return False
        if fault.kind is Kind.DELAY:
            await asyncio.sleep(fault.seconds)
        return fault.kind not in (Kind.DROP, Kind.HALF_OPEN)

    def reset(self) -> None:
        reset(self.client)
        if self.server is not None:
            self.server.close()

    def lose_server(self) -> None:
        if self.server is not None:
            reset(self.server)

    def end(self) -> None:
        if self.fault.kind is Kind.HALF_OPEN:
            return
        self.client.close()
        if self.server is not None:
            self.server.close()


class Proxy:
    """`with Proxy(host, port) as proxy`: listens on `proxy.port` of 127.0.0.1.

    `hits` counts the requests that a fault with `request` has met.
    """

    def __init__(self, host: str, port: int) -> None:
        self.upstream = (host, port)
        self.fault = NORMAL
        self.hits = 0
        self.port = 0
        self.links: list[Link] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._call(self._listen())
        return self

    def __exit__(self, *_: object) -> None:
        self._call(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def set(self, fault: Fault, link: Link | None = None) -> None:
        """For one connection, or for all that are there and all that come."""
        self._call(self._set(fault, link))

    def _call(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _end(self) -> None:
        self._server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for link in self.links:
            link.lose_server()
            reset(link.client)

    async def _set(self, fault: Fault, link: Link | None) -> None:
        links = [link] if link else self.links
        if link:
            link.own = fault
        else:
            self.fault, self.hits = fault, 0
        for each in links:
            if fault.kind is Kind.HALF_OPEN:
                each.lose_server()
            if fault.kind is Kind.RESET and not fault.request:
                each.reset()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = Link(self, writer)
        self.links.append(link)
        if self.fault.kind is Kind.RESET and not self.fault.request:
            link.reset()
        elif self.fault.kind is Kind.HALF_OPEN:
            with suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
        else:
            # The end of the proxy: a task left cancelled is logged as an error of asyncio's.
            with suppress(asyncio.CancelledError):
                await self._join(link, reader)

    async def _join(self, link: Link, reader: asyncio.StreamReader) -> None:
        try:
            answers, link.server = await asyncio.open_connection(*self.upstream)
        except OSError:
            link.reset()
            return
        await asyncio.gather(
            self._pump(link, reader, link.server, link.request),
            self._pump(link, answers, link.client, link.answer),
        )

    async def _pump(
        self, link: Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, passes: Any
    ) -> None:
        with suppress(OSError):
            while chunk := await reader.read(65536):
                if await passes(chunk):
                    writer.write(chunk)
                    await writer.drain()
        link.end()

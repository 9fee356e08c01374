"""Both providers as something to start and stop: a thread a connection, state in memory.

`{url}/api/v3/…` is CoinGecko, `{url}/v2/…` CoinMarketCap; and what only a sandbox has, for callers
on this machine:

GET  /_sandbox/calls
POST /_sandbox/faults   {"provider": "coingecko", "kind": "nan", "times": 3, "seconds": 30}
DELETE /_sandbox/faults
"""

import json
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlsplit

from payments.sandbox.prices import answers
from payments.sandbox.prices.answers import JSON_TYPE, Answer
from payments.sandbox.prices.world import COINGECKO, COINMARKETCAP, JSON, Fault, World

MAX_BODY: Final = 100_000
_ENDLESS: Final = b"[" + b"0," * 4096


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 60
    server: "_Server"

    def _serve(self) -> None:
        path = urlsplit(self.path).path
        if path == "/healthz":
            self._send((200, JSON_TYPE, '{"status": "ok"}'))
        elif path.startswith("/_sandbox/"):
            self._send(self._control(path))
        else:
            self._provide(COINGECKO if path.startswith("/api/v3/") else COINMARKETCAP)

    do_GET = do_POST = do_DELETE = _serve

    def _provide(self, provider: str) -> None:
        world, target = self.server.world, urlsplit(self.path)
        fault = world.take_fault(provider)
        kind = fault.kind if fault else ""
        if world.is_over_limit(provider):
            kind = "429_json" if provider == COINGECKO else "1008"
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = getattr(answers, provider)(world, target.path, target.query, headers, kind)
        world.note(provider, target.path, target.query, answer[0])
        self._spoilt(answer, fault)

    def _spoilt(self, answer: Answer, fault: Fault | None) -> None:
        status, content_type, text = answer
        match fault.kind if fault else "":
            case "timeout":
                self.server.ending.wait(fault.seconds if fault else 0)
                self.close_connection = True
            case "500":
                self._send((500, JSON_TYPE, '{"error":"Internal Server Error"}'))
            case "html":
                self._send((200, "text/html", "<!doctype html><title>Just a moment…</title>"))
            case "truncated":
                self._send((status, content_type, text[: len(text) // 2]))
            case "redirect":
                self._send((302, "text/plain", ""), Location="/healthz")
            case "endless":
                self._endless()
            case _:
                self._send(answer)

    def _send(self, answer: Answer, **headers: str) -> None:
        status, content_type, text = answer
        body = text.encode()
        self.send_response(status)
        found = {"Content-Type": content_type, "Content-Length": str(len(body)), **headers}
        for name, value in found.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _endless(self) -> None:
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Type", JSON_TYPE)
        self.end_headers()
        with suppress(OSError):
            while not self.server.ending.is_set():
                self.wfile.write(_ENDLESS)

    def _control(self, path: str) -> Answer:
        if not self.client_address[0].startswith("127."):
            return 403, JSON_TYPE, '{"error": "loopback only"}'
        try:
            found = _controlled(self.server.world, self.command, path, self._body())
        except (ValueError, TypeError, KeyError) as error:
            return 400, JSON_TYPE, json.dumps({"error": str(error)})
        return 200, JSON_TYPE, json.dumps(found)

    def _body(self) -> Any:
        length = self.headers.get("Content-Length", "0")
        size = int(length) if length.isdigit() else 0
        return json.loads(self.rfile.read(min(size, MAX_BODY)) or b"{}")

    def log_message(self, format: str, *args: Any) -> None:
        """Silent: the list of calls has it."""


def _controlled(world: World, method: str, path: str, body: Any) -> JSON:
    """Raises ValueError, TypeError, KeyError for what it does not understand."""
    match method, path:
        case "GET", "/_sandbox/calls":
            return {"calls": list(world.calls)}
        case "POST", "/_sandbox/faults":
            world.fault(body.pop("provider"), body.pop("kind"), **body)
            return {"asked": True}
        case "DELETE", "/_sandbox/faults":
            world.faults.clear()
            return {"deleted": True}
    raise ValueError(f"unknown: {method} {path}")


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], world: World) -> None:
        self.world, self.ending = world, threading.Event()
        super().__init__(address, _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that gave up waiting is no news."""


class PriceSandbox:
    """Stand-ins for both providers.

    with PriceSandbox() as sandbox:
        sandbox.fault("coingecko", "nan", times=2)
        httpx.get(sandbox.coingecko_url + "/simple/price?ids=bitcoin&vs_currencies=usd")
    """

    def __init__(
        self, host: str = "127.0.0.1", port: int = 0, *, clock: Callable[[], float] = time.time
    ) -> None:
        self.world = World(clock)
        self._server = _Server((host, port), self.world)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="price-sandbox", daemon=True
        )

    @property
    def coinmarketcap_url(self) -> str:
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}"

    @property
    def coingecko_url(self) -> str:
        return f"{self.coinmarketcap_url}/api/v3"

    def fault(self, provider: str, kind: str, *, times: int = 1, seconds: float = 30.0) -> None:
        """Have so many calls of a provider fail (see `world.py`). Raises ValueError."""
        self.world.fault(provider, kind, times=times, seconds=seconds)

    def calls(self, provider: str | None = None) -> list[JSON]:
        """Calls so far: provider, path, query, status."""
        return [c for c in self.world.calls if provider in (None, c["provider"])]

    def clear(self) -> None:
        self.world.clear()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.ending.set()
        self._server.shutdown()
        self._server.server_close()

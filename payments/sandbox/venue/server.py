"""The venue as something to start and stop: a thread a connection.

POST /v1/orders                {"client_order_id", "currency", "amount"}
GET  /v1/orders/{client_order_id}
GET  /v1/statement?since=&after=

and what only a sandbox has, for callers on this machine:

GET  /_sandbox/calls
POST /_sandbox/faults          {"kind": "timeout_after", "times": 3, "seconds": 30, "value": ""}
DELETE /_sandbox/faults
POST /_sandbox/prices          {"BTC": "67.00"}
"""

import json
import threading
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import parse_qs, unquote, urlsplit

from payments.sandbox.venue.world import JSON, Fault, World

MAX_BODY: Final = 100_000
_ORDERS: Final = "/v1/orders"
Reply = tuple[int, JSON]


class _HangUp(Exception):
    """Close the connection without an answer."""


class _Answered(Exception):
    """A fault has answered in the venue's place; the connection goes on.

    Closing it unannounced would fail the caller's next call, not this one.
    """


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 60
    server: "_Server"

    def _serve(self) -> None:
        path = urlsplit(self.path).path
        try:
            if path == "/healthz":
                self._send(200, {"status": "ok"})
            elif path.startswith("/_sandbox/"):
                self._send(*self._control(path))
            else:
                self._trade(path)
        except _Answered:
            pass
        except _HangUp:
            self.close_connection = True

    do_GET = do_POST = do_DELETE = _serve

    def _trade(self, path: str) -> None:
        world, body = self.server.world, self._body()
        fault = None
        if not path.startswith("/v1/statement"):
            fault = world.take_fault(finds=self.command == "GET")
        self._fail_before(fault)
        status, answer = self._answer(path, body, fault)
        world.note({"method": self.command, "path": path, "body": body, "status": status})
        self._fail_after(fault, status, answer)

    def _answer(self, path: str, body: JSON, fault: Fault | None) -> Reply:
        if self.server.key and self.headers.get("Authorization") != f"Bearer {self.server.key}":
            return 401, {"code": "unauthorized"}
        world = self.server.world
        match self.command, path.removeprefix(_ORDERS):
            case "POST", "":
                return _bought(world, body, fault)
            case "GET", "/v1/statement":
                return _statement(world, parse_qs(urlsplit(self.path).query))
            case "GET", name if name.startswith("/") and path != name:
                found = world.order(unquote(name[1:]))
                return (200, found) if found else (404, {"code": "unknown_order"})
        return 404, {"code": "not_found"}

    def _fail_before(self, fault: Fault | None) -> None:
        """Nothing has been bought, and nothing will be."""
        match fault.kind if fault else "":
            case "timeout" if fault:
                self.server.ending.wait(fault.seconds)
                raise _HangUp
            case "reset":
                raise _HangUp
            case "500":
                self._send(500, {"code": "internal"})
                raise _Answered
            case "401":
                self._send(401, {"code": "unauthorized"})
                raise _Answered
            case "html":
                self._raw(200, "<!doctype html><title>Just a moment…</title>", "text/html")
                raise _Answered

    def _fail_after(self, fault: Fault | None, status: int, answer: JSON) -> None:
        match fault.kind if fault else "":
            case "timeout_after" if fault:
                self.server.ending.wait(fault.seconds)
                raise _HangUp
            case "slow" if fault:
                self.server.ending.wait(fault.seconds)
                self._send(status, answer)
            case "reset_after":
                raise _HangUp
            case "500_after":
                self._send(500, {"code": "internal"})
            case "truncated":
                text = json.dumps(answer)
                self._raw(status, text[: len(text) // 2])
            case "garbled":
                self._send(status, {**answer, "filled": "NaN"})
            case _:
                self._send(status, answer)

    def _send(self, status: int, body: JSON) -> None:
        self._raw(status, json.dumps(body))

    def _raw(self, status: int, text: str, content_type: str = "application/json") -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _body(self) -> JSON:
        length = self.headers.get("Content-Length", "0")
        size = int(length) if length.isdigit() else 0
        try:
            found = json.loads(self.rfile.read(min(size, MAX_BODY)) or b"{}")
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    def _control(self, path: str) -> Reply:
        if not self.client_address[0].startswith("127."):
            return 403, {"error": "loopback only"}
        try:
            return 200, _controlled(self.server.world, self.command, path, self._body())
        except (ValueError, TypeError, KeyError, InvalidOperation) as error:
            return 400, {"error": str(error)}

    def log_message(self, format: str, *args: Any) -> None:
        """Silent: the list of calls has it."""


def _bought(world: World, body: JSON, fault: Fault | None) -> Reply:
    """201 for a new order, 200 for one known by its id, 422 for a refused one."""
    names = ("client_order_id", "currency", "amount")
    key, currency, amount = (str(body.get(name, "")) for name in names)
    if not key or not _is_amount(amount) or set(body) != set(names):
        return 400, {"code": "invalid"}
    known = world.order(key) is not None
    try:
        order = world.buy(key, currency, amount, fault)
    except ValueError as error:
        return 409, {"code": "reused", "detail": str(error)}
    if order["status"] == "rejected":
        return 422, order
    return (200 if known else 201), order


def _is_amount(text: str) -> bool:
    try:
        return Decimal(text).is_finite() and Decimal(text) > 0
    except InvalidOperation:
        return False


def _statement(world: World, query: dict[str, list[str]]) -> Reply:
    since, after = (query.get(name, ["0"])[0] or "0" for name in ("since", "after"))
    if not (since.isdigit() and after.isdigit()):
        return 400, {"code": "invalid"}
    orders, following = world.orders(float(since), after)
    return 200, {"orders": orders, "next": following}


def _controlled(world: World, method: str, path: str, body: JSON) -> JSON:
    """Raises ValueError, TypeError, KeyError for what it does not understand."""
    match method, path:
        case "GET", "/_sandbox/calls":
            return {"calls": list(world.calls)}
        case "POST", "/_sandbox/faults":
            world.fault(body.pop("kind"), **body)
            return {"asked": True}
        case "DELETE", "/_sandbox/faults":
            world.faults.clear()
            return {"deleted": True}
        case "POST", "/_sandbox/prices":
            world.prices |= {name: str(Decimal(price)) for name, price in body.items()}
            return {"prices": world.prices}
    raise ValueError(f"unknown: {method} {path}")


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # Hundreds of workers may come at once.
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], world: World, key: str) -> None:
        self.world, self.key, self.ending = world, key, threading.Event()
        super().__init__(address, _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that gave up waiting is no news."""


class VenueSandbox:
    """A stand-in for the venue.

    with VenueSandbox() as sandbox:
        sandbox.fault("timeout_after")
        httpx.post(sandbox.url + "/v1/orders", json={…})
    """

    def __init__(
        self,
        path: str | Path = ":memory:",
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        key: str = "",
        clock: Callable[[], float] | None = None,
    ) -> None:
        self.world = World(path, clock) if clock else World(path)
        self._server = _Server((host, port), self.world, key)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="venue-sandbox", daemon=True
        )

    @property
    def url(self) -> str:
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}"

    def fault(self, kind: str, **more: Any) -> None:
        """Have so many purchases fail (see `world.py`). Raises ValueError."""
        self.world.fault(kind, **more)

    def calls(self, method: str | None = None) -> list[JSON]:
        """Calls so far that were answered or carried out: method, path, body, status."""
        return [c for c in self.world.calls if method in (None, c["method"])]

    def bought(self) -> list[JSON]:
        """Every order that was taken and filled at least in part."""
        found, after = [], ""
        while True:
            page, following = self.world.orders(0, after)
            found += [order for order in page if Decimal(order["filled"])]
            if following is None:
                return found
            after = following

    def clear(self) -> None:
        """No faults, no calls; the orders it took stay."""
        self.world.reset()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.ending.set()
        self._server.shutdown()
        self._server.server_close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

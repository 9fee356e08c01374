"""The sandbox as something to start and stop: HTTP/1.1 with keep-alive, a thread a connection."""

import io
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from time import monotonic, sleep, time
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote, urlsplit

from payments.sandbox.stripe.app import App
from payments.sandbox.stripe.controls import Controls
from payments.sandbox.stripe.delivery import Courier
from payments.sandbox.stripe.engine import Engine
from payments.sandbox.stripe.errors import JSON
from payments.sandbox.stripe.http import MAX_BODY, HangUp
from payments.sandbox.stripe.store import Store

FINISH_SECONDS = 5.0
DEFAULT_SECRET = "whsec_sandbox"  # noqa: S105  # nosec B105  # the sandbox's own


class _Handler(BaseHTTPRequestHandler):
    """Runs the WSGI application for each request of a connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    timeout = 120
    server: "_Server"

    def _serve(self) -> None:
        sent = self._body()
        if sent is None:
            self.close_connection = True
            return
        try:
            body = self.server.app(self._environ(sent), self._start)
        except HangUp:
            self._hang_up()
            return
        if self.command != "HEAD":
            self.wfile.write(b"".join(body))
        self.wfile.flush()

    do_GET = do_POST = do_DELETE = do_PUT = do_PATCH = do_HEAD = _serve

    def _start(self, status: str, headers: list[tuple[str, str]], *_: Any) -> Callable[..., Any]:
        code, _space, phrase = status.partition(" ")
        self.send_response(int(code), phrase)
        for name, value in headers:
            self.send_header(name, value)
        if self.server.stopping:
            self.send_header("Connection", "close")
        self.end_headers()
        return self.wfile.write

    def _environ(self, sent: bytes) -> dict[str, Any]:
        target = urlsplit(self.path)
        host, port = self.server.server_address[:2]
        environ: dict[str, Any] = {
            "REQUEST_METHOD": self.command,
            "PATH_INFO": unquote(target.path),
            "QUERY_STRING": target.query,
            "CONTENT_LENGTH": self.headers.get("Content-Length", "0"),
            "REMOTE_ADDR": self.client_address[0],
            "SERVER_NAME": host,
            "SERVER_PORT": str(port),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(sent),
        }
        for name, value in self.headers.items():
            environ[f"HTTP_{name.upper().replace('-', '_')}"] = value
        return environ

    def _body(self) -> bytes | None:
        """None where the caller died before the end: half a request must not keep its key."""
        length = self.headers.get("Content-Length", "0")
        chunked = "Transfer-Encoding" in self.headers
        if chunked or not length.isdigit() or int(length) > MAX_BODY:
            # The rest of the body would be read as the next request.
            self.close_connection = True
            return self.rfile.read(MAX_BODY + 1) if length.isdigit() else b""
        body = self.rfile.read(int(length))
        return body if len(body) == int(length) else None

    def _hang_up(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, format: str, *args: Any) -> None:
        """Silent: the log of calls has it, without the query."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024
    stopping = False

    def __init__(self, address: tuple[str, int], app: App) -> None:
        self.app = app
        self._connections: set[socket.socket] = set()
        self._guard = threading.Lock()
        super().__init__(address, _Handler)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        with self._guard:
            self._connections.add(request)
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._guard:
                self._connections.discard(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)

    def end_connections(self, seconds: float) -> None:
        """End the idle connections, which only wait to be read, and let running calls finish."""
        self.stopping = True
        for connection in self._open():
            # Gone by itself in the meantime.
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RD)
        until = monotonic() + seconds
        while self._open() and monotonic() < until:
            sleep(0.01)

    def _open(self) -> list[socket.socket]:
        with self._guard:
            return list(self._connections)


class StripeSandbox:
    """A stand-in for api.stripe.com on its own SQLite file.

    `db_path`: the file, created when missing, or ":memory:". `webhook_url`: where events go;
    with None they stay queued until `take_events()` or `flush()`. `public_url`: how a browser
    reaches this server (the 3-D Secure page), by default as the caller of the API did.
    `settle_seconds`: how long what Stripe does later takes. `clock`: unix seconds.

        with StripeSandbox(":memory:") as sandbox:
            client = StripeClient("sk_test_x", base_addresses={"api": sandbox.url})
    """

    def __init__(
        self,
        db_path: str | Path,
        webhook_url: str | None = None,
        webhook_secret: str = DEFAULT_SECRET,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        open_controls: bool = False,
        public_url: str = "",
        settle_seconds: float = 2.0,
        clock: Callable[[], float] = time,
    ) -> None:
        self.webhook_secret = webhook_secret
        self._stopped = False
        self._store = Store(db_path, clock)
        self._engine = Engine(self._store, public_url=public_url, settle_seconds=settle_seconds)
        self._courier = Courier(self._engine, webhook_url, webhook_secret)
        self._controls = Controls(self._engine, self._courier)
        self.app = App(self._engine, self._controls, open_controls)
        self._server = _Server((host, port), self.app)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="stripe-sandbox-http", daemon=True
        )

    @property
    def url(self) -> str:
        """Where it listens: `http://127.0.0.1:<port>`."""
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}"

    def start(self) -> Self:
        self._thread.start()
        self._courier.start()
        return self

    def stop(self) -> None:
        """Finish running calls, stop listening and delivering; the state stays in the file."""
        if self._stopped:
            return
        self._stopped = True
        if self._thread.is_alive():
            # It waits for the loop to end: without a loop, for ever.
            self._server.shutdown()
        self._server.end_connections(FINISH_SECONDS)
        self._courier.stop()
        self._server.server_close()
        self._store.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def fault(self, kind: str, action: str, **fields: Any) -> int:
        """Ask for a fault (see `faults.py`); its id. Raises ValueError for one unknown."""
        return self._controls.fault({"kind": kind, "action": action, **fields})

    def clear_faults(self) -> None:
        self._controls.clear_faults()

    def calls(self, **where: Any) -> list[JSON]:
        """The log of calls: method, path, idempotency_key, status, replayed, answered."""
        return self._controls.calls(where)

    def charges(self, payment_intent: str | None = None) -> list[JSON]:
        """Every charge, failed ones included, oldest first."""
        where: dict[str, str | None] = {"payment_intent": payment_intent}
        return self._controls.objects("charge", where if payment_intent else {})

    def refunds(self, payment_intent: str | None = None) -> list[JSON]:
        where: dict[str, str | None] = {"payment_intent": payment_intent}
        return self._controls.objects("refund", where if payment_intent else {})

    def events(self, type: str | None = None) -> list[JSON]:
        """Every event, oldest first, delivered or not."""
        return [found["event"] for found in self._controls.events(type)]

    def take_events(self, *, include_delayed: bool = False) -> list[tuple[bytes, str]]:
        """Queued events as (payload, Stripe-Signature), counted as delivered from now on."""
        return self._courier.take(include_delayed=include_delayed)

    def flush(self, url: str, *, include_delayed: bool = False) -> JSON:
        """Send queued events to `url` now: `{"delivered": n, "failed": n}`."""
        return self._courier.flush(url, include_delayed=include_delayed)

    def redeliver(self, event_id: str) -> None:
        self._controls.redeliver(event_id)

    def settle(self) -> int:
        """Do now what was left for later: balances, slow refunds, slow banks. How many."""
        return self._engine.run_jobs(due_only=False)

    def authenticate(self, intent_id: str, outcome: str = "success") -> JSON:
        """The cardholder's part of 3-D Secure (`success` or `failure`); the intent after it."""
        return self._controls.authenticate(intent_id, outcome)

    def close_dispute(self, dispute_id: str, status: str) -> JSON:
        """End a dispute `won` or `lost`."""
        return self._controls.close_dispute(dispute_id, status)

"""The calls of the API: authentication, idempotency, faults, one transaction each.

Source of the idempotency rules: https://docs.stripe.com/api/idempotent_requests
"""

import hashlib
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from payments.sandbox.stripe import charges, confirm, errors, faults, objects, refunds, routes
from payments.sandbox.stripe.context import Context
from payments.sandbox.stripe.errors import JSON, StripeError
from payments.sandbox.stripe.forms import parse_form
from payments.sandbox.stripe.http import HangUp, Request, Response
from payments.sandbox.stripe.store import Kept, Store

TEST_KEYS = ("sk_test_", "rk_test_")
MAX_KEY = 255
_FAULT_MESSAGE = "An unknown error occurred (a fault of the sandbox, asked for)."
JOBS = {
    "charge.settle": charges.settle,
    "refund.succeed": refunds.succeed,
    "refund.fail": refunds.fail,
    "intent.finish": confirm.finish,
}


class Claims:
    """Idempotency keys whose first call still runs in this process.

    The table of kept answers decides beside other processes; the claim only adds Stripe's 409.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._keys: set[str] = set()

    @contextmanager
    def hold(self, key: str | None) -> Iterator[None]:
        """Raises StripeError 409 while another call holds the key."""
        if key is None:
            yield
            return
        with self._lock:
            if key in self._keys:
                raise errors.key_in_use(key)
            self._keys.add(key)
        try:
            yield
        finally:
            with self._lock:
                self._keys.discard(key)


@dataclass
class Call:
    """A request on its way through."""

    request: Request
    request_id: str = field(default_factory=lambda: f"req_{objects.token(14)}")
    replayed: bool = False
    original: str = ""

    @property
    def key(self) -> str | None:
        return self.request.idempotency_key

    def fingerprint(self) -> str:
        """A digest of the parameters in any order; the parameters are not kept."""
        pairs = sorted(parse_qsl(self.request.body.decode("utf-8", "replace"), True))
        return hashlib.sha256(json.dumps(pairs).encode()).hexdigest()

    def form(self) -> JSON:
        encoded = self.request.query
        if self.request.method == "POST":
            encoded = self.request.body.decode("utf-8", "replace")
        return parse_form(encoded)


class Engine:
    """Answers the calls of `/v1`, and runs what was left for later."""

    def __init__(self, store: Store, *, public_url: str = "", settle_seconds: float = 2.0) -> None:
        self.store = store
        self.public_url = public_url.rstrip("/")
        self.settle_seconds = settle_seconds
        self.claims = Claims()

    def context(self, base_url: str = "") -> Context:
        return Context(self.store, self.public_url or base_url, self.settle_seconds)

    def answer(self, request: Request) -> Response:
        """One call of the API, logged. Raises HangUp where a fault says so."""
        call = Call(request)
        try:
            status, body = self._answer(call)
        except StripeError as error:
            status, body = error.status, _dump(error.answer(call.request_id))
        except HangUp as hang_up:
            self._log(call, int(str(hang_up) or 0), answered=False)
            raise
        self._log(call, status, answered=True)
        return Response(status, body.encode(), headers=_headers(call))

    def _answer(self, call: Call) -> tuple[int, str]:
        request = call.request
        _authenticate(request.secret_key())
        found = routes.match(request.method, request.path)
        if found is None:
            raise errors.unknown_url(request.method, request.path)
        _check_key(call.key)
        with self.claims.hold(call.key):
            fault = self._fault(request)
            _wait(fault)
            if fault and fault.action == "status":
                return self._fail(call, fault)
            status, body = self._execute(call, *found)
            if fault and fault.action == "reset_after_commit":
                raise HangUp(str(status))
            return status, body

    def _fault(self, request: Request) -> faults.Fault | None:
        with self.store.transaction():
            return faults.take(self.store, "http", f"{request.method} {request.path}")

    def _execute(self, call: Call, route: routes.Route, ids: tuple[str, ...]) -> tuple[int, str]:
        with self.store.transaction():
            if kept := self._replay(call):
                return kept
            self.store.mark()
            stored = True
            try:
                status, body = 200, self._work(call, route, ids)
            except StripeError as error:
                if not error.keep_work:
                    self.store.undo()
                status, body, stored = error.status, error.answer(call.request_id), error.stored
            text = _dump(body)
            if stored:
                self._keep(call, status, text)
            return status, text

    def _work(self, call: Call, route: routes.Route, ids: tuple[str, ...]) -> JSON:
        ctx = self.context(call.request.base_url)
        ctx.request_id, ctx.idempotency_key = call.request_id, call.key
        ctx.params = route.spec.parse(call.form())
        return ctx.expanded(route.handler(ctx, *ids))

    def _replay(self, call: Call) -> tuple[int, str] | None:
        """The kept answer. Raises StripeError 400 when the key was used for something else."""
        if call.key is None or (kept := self.store.kept(call.key)) is None:
            return None
        if kept.path != call.request.path:
            raise errors.other_endpoint(call.key, call.request.path, kept.path)
        if kept.fingerprint != call.fingerprint():
            raise errors.other_parameters(call.key)
        call.replayed, call.original = True, kept.request_id
        return kept.status, kept.body

    def _keep(self, call: Call, status: int, body: str) -> None:
        if call.key is not None:
            kept = Kept(call.request.path, call.fingerprint(), status, body, call.request_id)
            self.store.keep(call.key, kept)

    def _fail(self, call: Call, fault: faults.Fault) -> tuple[int, str]:
        """The fault's status; a 5xx is kept under the key, as Stripe keeps one of its own."""
        status, body = fault.status, _dump(_fault_error(fault.status).answer(call.request_id))
        if fault.stored if fault.stored is not None else status >= 500:
            with self.store.transaction():
                if kept := self._replay(call):
                    return kept
                self._keep(call, status, body)
        return status, body

    def run_jobs(self, *, due_only: bool = True) -> int:
        """Do what was left for later (balances, slow refunds, slow banks); how many."""
        done = 0
        while self._run_job(due_only=due_only):
            done += 1
        return done

    def _run_job(self, *, due_only: bool) -> bool:
        with self.store.transaction():
            if (job := self.store.take_job(due_only=due_only)) is None:
                return False
            JOBS[job[0]](self.context(), job[1])
            return True

    def _log(self, call: Call, status: int, *, answered: bool) -> None:
        with self.store.transaction():
            self.store.log_call(
                {
                    "method": call.request.method,
                    "path": call.request.path,
                    "idempotency_key": call.key,
                    "status": status,
                    "replayed": call.replayed,
                    "answered": answered,
                    "request_id": call.request_id,
                }
            )


def _authenticate(key: str) -> None:
    if not key:
        message = (
            "You did not provide an API key. You need to provide your API key in the Authorization "
            "header, using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY')."
        )
        raise errors.unauthenticated(message)
    if not key.startswith(TEST_KEYS) or len(key) < 10:
        shown = f"{key[:7]}{'*' * 8}{key[-4:]}" if len(key) > 16 else "*" * 8
        raise errors.unauthenticated(f"Invalid API Key provided: {shown}")


def _check_key(key: str | None) -> None:
    if key is not None and not 0 < len(key) <= MAX_KEY:
        message = f"Idempotency-Key must be from 1 to {MAX_KEY} characters long."
        raise StripeError(400, "idempotency_error", message, stored=False)


def _wait(fault: faults.Fault | None) -> None:
    if fault is None:
        return
    time.sleep(fault.seconds)
    if fault.action == "timeout":
        raise HangUp


def _fault_error(status: int) -> StripeError:
    if status == 429:
        message = "Request rate limit exceeded. Please try again later."
        error = StripeError(429, "invalid_request_error", message)
        return error.with_fields(code="rate_limit")
    return StripeError(
        status, "api_error" if status >= 500 else "invalid_request_error", _FAULT_MESSAGE
    )


def _headers(call: Call) -> dict[str, str]:
    headers = {
        "Request-Id": call.request_id,
        "Stripe-Version": call.request.headers.get("stripe-version", objects.API_VERSION),
    }
    if call.key is not None:
        headers["Idempotency-Key"] = call.key
        headers["Original-Request"] = call.original or call.request_id
    if call.replayed:
        headers["Idempotent-Replayed"] = "true"
    return headers


def _dump(body: JSON) -> str:
    return json.dumps(body)

"""What only a sandbox has: faults, the log of calls, events by hand, the cardholder's part.

GET    /_sandbox/calls?method=&path=&idempotency_key=&status=
GET    /_sandbox/faults          POST /_sandbox/faults     DELETE /_sandbox/faults
GET    /_sandbox/events?type=    POST /_sandbox/events/{id}/redeliver
POST   /_sandbox/flush           {"url": …, "all": false}
POST   /_sandbox/settle          what was left for later, now
POST   /_sandbox/payment_intents/{id}/authenticate   {"outcome": "success" | "failure"}
POST   /_sandbox/disputes/{id}/close                 {"status": "won" | "lost"}
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from payments.sandbox.stripe import confirm, disputes, errors, events, faults
from payments.sandbox.stripe.delivery import Courier
from payments.sandbox.stripe.engine import Engine
from payments.sandbox.stripe.errors import JSON, StripeError
from payments.sandbox.stripe.http import Request, Response, json_response

CALL_FIELDS = ("method", "path", "idempotency_key", "status")


@dataclass
class Controls:
    """The same from Python (`StripeSandbox`) and over HTTP (`/_sandbox/…`)."""

    engine: Engine
    courier: Courier

    def fault(self, body: JSON) -> int:
        with self.engine.store.transaction():
            return faults.add(self.engine.store, body)

    def faults(self) -> list[JSON]:
        with self.engine.store.transaction():
            return faults.listed(self.engine.store)

    def clear_faults(self) -> None:
        with self.engine.store.transaction():
            faults.clear(self.engine.store)

    def calls(self, where: JSON) -> list[JSON]:
        """Calls of the API, oldest first, whose fields equal those of `where`."""
        with self.engine.store.transaction():
            found = self.engine.store.calls()
        return [c for c in found if all(str(c[name]) == str(v) for name, v in where.items())]

    def objects(self, kind: str, where: dict[str, str | None]) -> list[JSON]:
        """Every object of a kind, oldest first."""
        with self.engine.store.transaction():
            found, _ = self.engine.store.find(kind, where, limit=10**6)
        return found[::-1]

    def events(self, type_: str | None) -> list[JSON]:
        """Events, oldest first, each with what became of its deliveries."""
        found = self.objects("event", {"type": type_} if type_ else {})
        store = self.engine.store
        with store.transaction():
            return [{"event": e, "deliveries": events.deliveries(store, e["id"])} for e in found]

    def redeliver(self, id_: str) -> None:
        with self.engine.store.transaction():
            self.engine.context().require("event", id_)
            events.enqueue(self.engine.store, id_, 0)

    def authenticate(self, id_: str, outcome: str) -> JSON:
        with self.engine.store.transaction():
            return confirm.authenticate(self.engine.context(), id_, outcome)

    def close_dispute(self, id_: str, status: str) -> JSON:
        with self.engine.store.transaction():
            return disputes.close(self.engine.context(), id_, status)


Action = Callable[[Controls, Request, str], object]


def _post_fault(controls: Controls, request: Request, _: str) -> object:
    return {"id": controls.fault(request.json())}


def _delete_faults(controls: Controls, _: Request, __: str) -> object:
    controls.clear_faults()
    return {"deleted": True}


def _calls(controls: Controls, request: Request, _: str) -> object:
    where = request.query_values()
    if unknown := where.keys() - set(CALL_FIELDS):
        raise ValueError(f"unknown filters: {sorted(unknown)}")
    return {"calls": controls.calls(where)}


def _events(controls: Controls, request: Request, _: str) -> object:
    return {"events": controls.events(request.query_values().get("type"))}


def _redeliver(controls: Controls, _: Request, id_: str) -> object:
    controls.redeliver(id_)
    return {"queued": id_}


def _flush(controls: Controls, request: Request, _: str) -> object:
    body = request.json()
    url = body.get("url") or controls.courier.url
    if not isinstance(url, str) or not url.startswith(("http://", "https://")):
        raise ValueError("url is missing")
    return controls.courier.flush(url, include_delayed=bool(body.get("all", False)))


def _settle(controls: Controls, _: Request, __: str) -> object:
    return {"settled": controls.engine.run_jobs(due_only=False)}


def _authenticate(controls: Controls, request: Request, id_: str) -> object:
    return controls.authenticate(id_, request.json().get("outcome", ""))


def _close(controls: Controls, request: Request, id_: str) -> object:
    return controls.close_dispute(id_, request.json().get("status", ""))


_ID = r"([A-Za-z0-9_]+)"
_ACTIONS: list[tuple[str, str, Action]] = [
    ("GET", "/_sandbox/calls", _calls),
    ("GET", "/_sandbox/faults", lambda controls, _, __: {"faults": controls.faults()}),
    ("POST", "/_sandbox/faults", _post_fault),
    ("DELETE", "/_sandbox/faults", _delete_faults),
    ("GET", "/_sandbox/events", _events),
    ("POST", f"/_sandbox/events/{_ID}/redeliver", _redeliver),
    ("POST", "/_sandbox/flush", _flush),
    ("POST", "/_sandbox/settle", _settle),
    ("POST", f"/_sandbox/payment_intents/{_ID}/authenticate", _authenticate),
    ("POST", f"/_sandbox/disputes/{_ID}/close", _close),
]


def answer(controls: Controls, request: Request) -> Response:
    """A control call; errors have Stripe's shape."""
    try:
        return json_response(200, _act(controls, request))
    except StripeError as error:
        return json_response(error.status, error.answer(""))
    except ValueError as error:
        return json_response(400, errors.invalid(str(error)).answer(""))


def _act(controls: Controls, request: Request) -> object:
    for method, pattern, action in _ACTIONS:
        if method == request.method and (found := re.fullmatch(pattern, request.path)):
            return action(controls, request, "".join(found.groups()))
    raise errors.unknown_url(request.method, request.path)

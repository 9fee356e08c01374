"""Events: made with the work they tell of, signed, queued, taken or delivered.

Source of the signature: https://docs.stripe.com/webhooks#verify-manually
(`Stripe-Signature: t=<unix s>,v1=<hex HMAC-SHA256 of "{t}.{body}">`).
"""

import hashlib
import hmac
import json
from dataclasses import dataclass

from payments.sandbox.stripe import faults
from payments.sandbox.stripe.errors import JSON
from payments.sandbox.stripe.store import Store

REORDER_WAIT = 3.0
LEASE = 60.0
GIVE_UP_AFTER = 3 * 86400
BACKOFF = (1, 2, 5, 15, 60, 300, 900, 3600, 3 * 3600, 6 * 3600, 12 * 3600)


@dataclass(frozen=True)
class Delivery:
    """One sending of an event that is due."""

    id: int
    event: JSON
    attempts: int
    rank: int


def signature(secret: str, payload: bytes, at: int) -> str:
    """The Stripe-Signature header of a payload sent at `at` (unix seconds)."""
    digest = hmac.new(secret.encode(), f"{at}.".encode() + payload, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


def payload(event: JSON) -> bytes:
    return json.dumps(event, indent=2).encode()


def publish(store: Store, event: JSON) -> None:
    """Keep the event and queue its delivery, as the faults in force would have it."""
    store.put(event)
    fault = faults.take(store, "events", event["type"])
    action = fault.action if fault else ""
    if fault is None or action == "duplicate":
        enqueue(store, event["id"], 0)
    if action == "duplicate":
        enqueue(store, event["id"], 0)
    if fault and action == "delay":
        enqueue(store, event["id"], fault.seconds)
    if fault and action == "reorder":
        _hold_back(store, event["id"], fault)
    if action == "drop":
        enqueue(store, event["id"], 0, state="dropped")


def enqueue(store: Store, event_id: str, seconds: float, state: str = "queued") -> None:
    store.run(
        "INSERT INTO deliveries (event, due, state) VALUES (:event, :due, :state)",
        event=event_id,
        due=store.clock() + seconds,
        state=state,
    )


def _hold_back(store: Store, event_id: str, fault: faults.Fault) -> None:
    """Wait for the fault's other events, then go out in the opposite order."""
    store.run(
        "INSERT INTO deliveries (event, due, rank, fault) VALUES (:event, :due, :rank, :fault)",
        event=event_id,
        due=store.clock() + (fault.seconds or REORDER_WAIT),
        rank=fault.left + 1,
        fault=fault.id,
    )
    if fault.left == 0:
        now = store.clock()
        store.run("UPDATE deliveries SET due = :now WHERE fault = :id", now=now, id=fault.id)


def due(store: Store, *, limit: int = -1, include_delayed: bool = False) -> list[Delivery]:
    """Queued deliveries in the order they go out; `include_delayed` ignores their time."""
    until = float("inf") if include_delayed else store.clock()
    found = store.rows(
        "SELECT d.id, d.attempts, d.rank, o.body FROM deliveries d JOIN objects o ON o.id = d.event"
        " WHERE d.state = 'queued' AND d.due <= :until ORDER BY d.rank, d.id LIMIT :n",
        until=until,
        n=limit,
    )
    return [Delivery(r["id"], json.loads(r["body"]), r["attempts"], r["rank"]) for r in found]


def lease(store: Store, limit: int) -> list[Delivery]:
    """Due deliveries, put off so that a sender that dies leaves them to be sent again."""
    taken = due(store, limit=limit)
    for delivery in taken:
        store.run(
            "UPDATE deliveries SET due = :due WHERE id = :id",
            due=store.clock() + LEASE,
            id=delivery.id,
        )
    return taken


def settle(store: Store, delivery: Delivery, answer: int | None) -> None:
    """Record how a sending went: done on 2xx, else again later, for three days."""
    if answer is not None and 200 <= answer < 300:
        return _finish(store, delivery.id, "delivered", answer)
    if store.clock() - delivery.event["created"] > GIVE_UP_AFTER:
        return _finish(store, delivery.id, "given_up", answer)
    wait = BACKOFF[min(delivery.attempts, len(BACKOFF) - 1)]
    store.run(
        "UPDATE deliveries SET due = :due, answer = :answer, attempts = attempts + 1"
        " WHERE id = :id",
        due=store.clock() + wait,
        answer=answer,
        id=delivery.id,
    )
    return None


def _finish(store: Store, id_: int, state: str, answer: int | None) -> None:
    store.run(
        "UPDATE deliveries SET state = :state, answer = :answer, attempts = attempts + 1"
        " WHERE id = :id",
        state=state,
        answer=answer,
        id=id_,
    )


def take(store: Store, *, include_delayed: bool = False) -> list[JSON]:
    """The queued events, each now counted as delivered."""
    taken = due(store, include_delayed=include_delayed)
    for delivery in taken:
        _finish(store, delivery.id, "delivered", None)
    return [delivery.event for delivery in taken]


def deliveries(store: Store, event_id: str) -> list[JSON]:
    """What became of an event's sendings."""
    sql = "SELECT state, due, attempts, answer FROM deliveries WHERE event = :id ORDER BY id"
    return [dict(row) for row in store.rows(sql, id=event_id)]

"""Faults on demand: each is a row with a number of times it still happens.

`{"kind": "events", "action": "drop" | "duplicate" | "delay" | "reorder", "times": n,
"seconds": s, "type": "charge.*"}` and `{"kind": "http", "match": "POST /v1/refunds",
"action": "delay" | "status" | "timeout" | "reset_after_commit", "status": 500, "times": n,
"seconds": s}` and `{"kind": "payments", "action": "processing", "times": n, "seconds": s}`.
"""

import json
import sqlite3
from dataclasses import dataclass
from fnmatch import fnmatchcase

from payments.sandbox.stripe.errors import JSON
from payments.sandbox.stripe.store import Store

ACTIONS = {
    "events": ("drop", "duplicate", "delay", "reorder"),
    "http": ("delay", "status", "timeout", "reset_after_commit"),
    "payments": ("processing",),
}
FIELDS = {"kind", "action", "match", "type", "status", "times", "seconds", "stored"}
MAX_SECONDS = 3600.0


@dataclass(frozen=True)
class Fault:
    """One use of a fault. `left` is how often it will still happen, `times` how often in all."""

    id: int
    action: str
    seconds: float
    status: int
    left: int
    times: int
    stored: bool | None


def add(store: Store, body: JSON) -> int:
    """A new fault; its id. Raises ValueError with what is wrong with it."""
    check(body)
    store.run(
        "INSERT INTO faults (kind, body, remaining) VALUES (:kind, :body, :times)",
        kind=body["kind"],
        body=json.dumps(body),
        times=body.get("times", 1),
    )
    return int(store.rows("SELECT last_insert_rowid() AS id")[0]["id"])


def check(body: JSON) -> None:
    """Raises ValueError: a misspelt fault that never happens would make a test pass."""
    if unknown := set(body) - FIELDS:
        raise ValueError(f"unknown fields: {sorted(unknown)}")
    if body.get("action") not in ACTIONS.get(body.get("kind", ""), ()):
        raise ValueError(f"kind and action must be one of {ACTIONS}")
    times, seconds = body.get("times", 1), body.get("seconds", 0)
    if not isinstance(times, int) or times < 1:
        raise ValueError("times must be a positive integer")
    if not isinstance(seconds, int | float) or not 0 <= seconds <= MAX_SECONDS:
        raise ValueError(f"seconds must be from 0 to {MAX_SECONDS:g}")
    if not isinstance(status := body.get("status", 500), int) or not 400 <= status <= 599:
        raise ValueError("status must be from 400 to 599")


def clear(store: Store) -> None:
    store.run("DELETE FROM faults")


def listed(store: Store) -> list[JSON]:
    """Every fault, spent ones too, with how often it will still happen."""
    return _bodies(store.rows("SELECT id, body, remaining FROM faults ORDER BY id"))


def _bodies(found: list[sqlite3.Row]) -> list[JSON]:
    return [{**json.loads(r["body"]), "id": r["id"], "remaining": r["remaining"]} for r in found]


def take(store: Store, kind: str, subject: str) -> Fault | None:
    """The oldest fault for `subject` ("POST /v1/refunds", or an event's type), counted down."""
    sql = "SELECT id, body, remaining FROM faults WHERE kind = :kind AND remaining ORDER BY id"
    for body in _bodies(store.rows(sql, kind=kind)):
        pattern = body.get("match" if kind == "http" else "type", "*")
        if fnmatchcase(subject, pattern):
            return _use(store, body)
    return None


def _use(store: Store, body: JSON) -> Fault:
    store.run("UPDATE faults SET remaining = remaining - 1 WHERE id = :id", id=body["id"])
    return Fault(
        id=body["id"],
        action=body["action"],
        seconds=float(body.get("seconds", 0)),
        status=body.get("status", 500),
        left=body["remaining"] - 1,
        times=body.get("times", 1),
        stored=body.get("stored"),
    )

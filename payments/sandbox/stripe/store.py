"""The sandbox's memory: one SQLite file of its own, outside every transaction of the shop.

One connection, guarded by a lock and by BEGIN IMMEDIATE, so that each call is atomic in
this process and beside any other process on the same file.
"""

import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from payments.sandbox.stripe.errors import JSON

KEY_LIFETIME = 24 * 3600
CALLS_KEPT = 50_000

_SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL,
    created INTEGER NOT NULL, body TEXT NOT NULL, hidden TEXT NOT NULL DEFAULT '{}');
CREATE INDEX IF NOT EXISTS objects_kind ON objects (kind, seq);
CREATE INDEX IF NOT EXISTS objects_intent
    ON objects (kind, json_extract(body, '$.payment_intent'));
CREATE INDEX IF NOT EXISTS objects_customer ON objects (kind, json_extract(body, '$.customer'));
CREATE INDEX IF NOT EXISTS objects_charge ON objects (kind, json_extract(body, '$.charge'));
CREATE INDEX IF NOT EXISTS objects_email ON objects (kind, json_extract(body, '$.email'));
CREATE INDEX IF NOT EXISTS objects_type ON objects (kind, json_extract(body, '$.type'));
CREATE TABLE IF NOT EXISTS keys (
    key TEXT PRIMARY KEY, path TEXT NOT NULL, fingerprint TEXT NOT NULL, created REAL NOT NULL,
    status INTEGER NOT NULL, body TEXT NOT NULL, request_id TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS deliveries (
    id INTEGER PRIMARY KEY AUTOINCREMENT, event TEXT NOT NULL, due REAL NOT NULL,
    rank INTEGER NOT NULL DEFAULT 0, fault INTEGER, attempts INTEGER NOT NULL DEFAULT 0,
    state TEXT NOT NULL DEFAULT 'queued', answer INTEGER);
CREATE INDEX IF NOT EXISTS deliveries_due ON deliveries (state, due);
CREATE INDEX IF NOT EXISTS deliveries_event ON deliveries (event);
CREATE TABLE IF NOT EXISTS jobs (
    id INTEGER PRIMARY KEY AUTOINCREMENT, due REAL NOT NULL, kind TEXT NOT NULL,
    object TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS faults (
    id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, body TEXT NOT NULL,
    remaining INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS calls (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, method TEXT NOT NULL,
    path TEXT NOT NULL, idempotency_key TEXT, status INTEGER NOT NULL, replayed INTEGER NOT NULL,
    answered INTEGER NOT NULL, request_id TEXT NOT NULL);
"""

_FILTERS = {
    name: f"json_extract(body, '$.{name}') = :{name}"
    for name in ("payment_intent", "customer", "charge", "email", "type")
}
# Several types come as a JSON array.
_FILTERS["types"] = "json_extract(body, '$.type') IN (SELECT value FROM json_each(:types))"
_BOUNDS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


@dataclass(frozen=True)
class Kept:
    """An answer kept under an idempotency key."""

    path: str
    fingerprint: str
    status: int
    body: str
    request_id: str


class Store:
    """Objects, kept answers, queued events, jobs, faults and the log of calls."""

    def __init__(self, path: str | Path, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        self._lock = threading.Lock()
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=30)
        self._db.row_factory = sqlite3.Row
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.executescript(_SCHEMA)
        self.run("DELETE FROM keys WHERE created < :since", since=clock() - KEY_LIFETIME)

    def close(self) -> None:
        with self._lock:
            self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything inside is kept, or nothing. Not for nesting."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def mark(self) -> None:
        """A point inside the transaction that `undo` goes back to."""
        self._db.execute("SAVEPOINT work")

    def undo(self) -> None:
        self._db.execute("ROLLBACK TO work")

    def rows(self, sql: str, **values: Any) -> list[sqlite3.Row]:
        """Inside a transaction: run one statement of another module of this package."""
        return self._db.execute(sql, values).fetchall()

    def run(self, sql: str, **values: Any) -> int:
        """Inside a transaction: run one statement; the number of rows it changed."""
        return self._db.execute(sql, values).rowcount

    # Objects

    def put(self, object_: JSON, hidden: JSON | None = None) -> None:
        """Insert or replace; `hidden` is kept as it is when None."""
        self._db.execute(
            "INSERT INTO objects (id, kind, created, body, hidden)"
            " VALUES (:id, :kind, :created, :body, :hidden)"
            " ON CONFLICT (id) DO UPDATE SET body = :body,"
            " hidden = CASE WHEN :keep THEN hidden ELSE :hidden END",
            {
                "id": object_["id"],
                "kind": object_["object"],
                "created": object_.get("created", 0),
                "body": json.dumps(object_),
                "hidden": json.dumps(hidden or {}),
                "keep": hidden is None,
            },
        )

    def get(self, kind: str, id_: str) -> JSON | None:
        sql = "SELECT body FROM objects WHERE id = :id AND kind = :kind"
        found = self.rows(sql, id=id_, kind=kind)
        return _load(found[0]["body"]) if found else None

    def hidden(self, id_: str) -> JSON:
        """What the sandbox knows of an object and the API does not tell."""
        found = self.rows("SELECT hidden FROM objects WHERE id = :id", id=id_)
        return _load(found[0]["hidden"]) if found else {}

    def find(
        self,
        kind: str,
        where: Mapping[str, str | None],
        *,
        created: Mapping[str, int] | None = None,
        limit: int = 100,
        after: str | None = None,
        before: str | None = None,
    ) -> tuple[list[JSON], bool]:
        """Newest first, and whether there are more."""
        clauses = ["kind = :kind", *(_FILTERS[name] for name in where)]
        bounds = {f"created_{name}": at for name, at in (created or {}).items()}
        clauses += [f"created {_BOUNDS[name]} :created_{name}" for name in created or {}]
        if after:
            clauses.append("seq < (SELECT seq FROM objects WHERE id = :after)")
        if before:
            clauses.append("seq > (SELECT seq FROM objects WHERE id = :before)")
        order = "ASC" if before else "DESC"
        # Only constants of this module reach the statement's text.
        sql = (
            f"SELECT body FROM objects WHERE {' AND '.join(clauses)} ORDER BY seq {order} LIMIT :n"  # noqa: S608  # nosec B608  # see above
        )
        values = {**where, **bounds, "kind": kind, "after": after, "before": before}
        found = [_load(row["body"]) for row in self.rows(sql, n=limit + 1, **values)]
        page = found[:limit]
        return (page[::-1] if before else page), len(found) > limit

    # Kept answers

    def kept(self, key: str) -> Kept | None:
        """The answer under a key of the last 24 hours."""
        since = self.clock() - KEY_LIFETIME
        self.run("DELETE FROM keys WHERE key = :key AND created < :since", key=key, since=since)
        found = self.rows(
            "SELECT path, fingerprint, status, body, request_id FROM keys WHERE key = :key",
            key=key,
        )
        return Kept(**dict(found[0])) if found else None

    def keep(self, key: str, answer: Kept) -> None:
        self.run(
            "INSERT OR IGNORE INTO keys VALUES"
            " (:key, :path, :fingerprint, :created, :status, :body, :request_id)",
            key=key,
            created=self.clock(),
            **answer.__dict__,
        )

    # Jobs

    def schedule(self, kind: str, id_: str, seconds: float) -> None:
        self.run(
            "INSERT INTO jobs (due, kind, object) VALUES (:due, :kind, :id)",
            due=self.clock() + seconds,
            kind=kind,
            id=id_,
        )

    def take_job(self, *, due_only: bool) -> tuple[str, str] | None:
        """The next job as (kind, object id), removed."""
        until = self.clock() if due_only else float("inf")
        found = self.rows(
            "DELETE FROM jobs WHERE id = (SELECT id FROM jobs WHERE due <= :until"
            " ORDER BY due, id LIMIT 1) RETURNING kind, object",
            until=until,
        )
        return (found[0]["kind"], found[0]["object"]) if found else None

    # Calls

    def log_call(self, call: JSON) -> None:
        self.run(
            "INSERT INTO calls (at, method, path, idempotency_key, status, replayed, answered,"
            " request_id) VALUES (:at, :method, :path, :idempotency_key, :status, :replayed,"
            " :answered, :request_id)",
            at=self.clock(),
            **call,
        )
        self.run(
            "DELETE FROM calls WHERE seq <= (SELECT max(seq) FROM calls) - :kept", kept=CALLS_KEPT
        )

    def calls(self) -> list[JSON]:
        found = self.rows("SELECT * FROM calls ORDER BY seq")
        flags = ("replayed", "answered")
        return [{**dict(row), **{name: bool(row[name]) for name in flags}} for row in found]


def _load(text: str) -> JSON:
    loaded: JSON = json.loads(text)
    return loaded

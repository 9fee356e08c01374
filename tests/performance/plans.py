"""What MySQL does for each statement: its plan, and the rows that it reads."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from django.db import connection

# A table, or an index as a whole, may be read as far as this: it is small, and stays so.
SMALL: Final = 250
# Rows that a statement may read to find one that it returns, changes or deletes: joins, and a
# subquery or two.
PER_ROW: Final = 10
# Rows of the largest page.
PAGE: Final = 100
EXPLAINED: Final = re.compile(r"\s*\(*\s*(SELECT|UPDATE|DELETE|WITH)\b", re.IGNORECASE)
# What EXPLAIN calls a table read from end to end, and an index.
SCANS: Final = {"ALL": "the whole table", "index": "the whole index"}


@dataclass(frozen=True)
class Step:
    """One row of EXPLAIN."""

    table: str
    access: str
    index: str | None
    rows: int
    extra: str

    def __str__(self) -> str:
        return f"{self.table}: {self.access} by {self.index}, {self.rows} rows; {self.extra}"


@dataclass(frozen=True)
class Statement:
    what: str
    sql: str
    plan: tuple[Step, ...]
    # Returned, changed or deleted.
    rows: int
    read: int

    @property
    def faults(self) -> list[str]:
        """What grows with a table, and not with what the statement is about."""
        found = [
            f"{SCANS[step.access]} of {step.table}"
            for step in self.plan
            if step.access in SCANS and step.rows > max(SMALL, PER_ROW * self.rows)
        ]
        if self.read > SMALL + PER_ROW * self.rows:
            found.append(f"{self.read} rows read for {self.rows}")
        if self.rows > PAGE and self.what.startswith("GET "):
            found.append(f"{self.rows} rows for one page")
        return found

    @property
    def places(self) -> set[tuple[str, str]]:
        """What asks, with each table."""
        return {(self.what, step.table) for step in self.plan}

    def __str__(self) -> str:
        plan = "".join(f"\n    {step}" for step in self.plan)
        return f"{self.what}: {', '.join(self.faults)}\n  {self.sql}{plan}"


@dataclass
class Watch:
    """Explains each statement of this thread's connection, runs it, and counts what it read."""

    what: str = ""
    seen: list[Statement] = field(default_factory=list)

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if many or not EXPLAINED.match(sql):
            return execute(sql, params, many, context)
        plan, before = explained(sql, params), _rows_read()
        rows = execute(sql, params, many, context)
        self.seen.append(Statement(self.what, sql, plan, rows, _rows_read() - before))
        return rows

    @contextmanager
    def of(self, what: str) -> Iterator[None]:
        self.what = what
        with connection.execute_wrapper(self):
            yield

    @property
    def faulty(self) -> list[Statement]:
        return [statement for statement in self.seen if statement.faults]


def explained(sql: str, params: Any = None) -> tuple[Step, ...]:
    rows = _asked(f"EXPLAIN FORMAT=TRADITIONAL {sql}", params)
    return tuple(
        Step(row[2] or "", row[4] or "", row[6], int(row[9] or 0), row[11] or "") for row in rows
    )


def _rows_read() -> int:
    """By this connection so far, in tables, indexes and temporary tables."""
    return sum(int(row[1]) for row in _asked("SHOW SESSION STATUS LIKE 'Handler_read%'"))


def _asked(sql: str, params: Any = None) -> list[Any]:
    """Past the watch, which would watch itself."""
    connection.ensure_connection()
    with connection.connection.cursor() as cursor:
        cursor.execute(sql, params)
        return list(cursor.fetchall())

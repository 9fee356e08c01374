"""Carries migrations out as they would be under load, and keeps what MySQL refuses."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from django.db import Error
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.executor import MigrationExecutor

from config.migrating import rules

# ALGORITHM or LOCK is not supported for this, with and without a reason.
REFUSED: Final = {1845, 1846}

Target = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Refusal:
    """`why` is MySQL's own reason, or ours."""

    migration: str
    statement: str
    why: str

    def __str__(self) -> str:
        return f"{self.migration}: {self.statement}\n    {self.why}"


@dataclass
class Watch:
    """What is being carried out, which tables it made itself, and what was refused."""

    migration: str = ""
    own: set[str] = field(default_factory=set)
    refusals: list[Refusal] = field(default_factory=list)

    def refuse(self, statement: str, why: str) -> None:
        self.refusals.append(Refusal(self.migration, statement, why))


def refused(connection: BaseDatabaseWrapper, plan: Sequence[Any]) -> list[Refusal]:
    """Run the plan, migrations that the database has not, and say what would lock large tables.

    What is refused is run all the same, since later migrations build on it: only for a database
    that may be thrown away. Tables that the plan itself makes are empty, and anything goes.
    """
    watch = Watch()
    executor = MigrationExecutor(connection)
    with watching(connection, watch):
        for migration, _ in plan:
            watch.migration = f"{migration.app_label}.{migration.name}"
            executor.migrate([(migration.app_label, migration.name)])
            executor.loader.build_graph()
    return watch.refusals


@contextmanager
def watching(connection: BaseDatabaseWrapper, watch: Watch) -> Iterator[None]:
    """While it lasts, the schema editor's statements go by this watch."""
    plain: Any = connection.SchemaEditorClass

    class Watched(plain):  # type: ignore[misc]  # the backend's own class, known at run time only
        def execute(self, sql: Any, params: Any = ()) -> None:
            carry_out(super().execute, str(sql), params, watch)

    connection.SchemaEditorClass = Watched
    try:
        yield
    finally:
        connection.SchemaEditorClass = plain


def carry_out(execute: Any, statement: str, params: Any, watch: Watch) -> None:
    if made := rules.table_made(statement):
        watch.own.add(made)
    changed, rewritten = rules.table_changed(statement), rules.table_rewritten(statement)
    if rewritten and rewritten not in watch.own:
        watch.refuse(statement, "It changes rows all at once; do it in batches, in a task.")
    if changed is None or changed in watch.own:
        execute(statement, params)
        return
    try:
        execute(rules.without_lock(statement), params)
    except Error as error:
        if not (error.args and error.args[0] in REFUSED):
            raise
        watch.refuse(statement, str(error.args[1]))
        execute(statement, params)

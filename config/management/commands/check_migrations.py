"""Refuse migrations that rewrite or lock a large table: since the last release, or still to run."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader

from config.migrating.watch import refused

RELEASED = Path(__file__).resolve().parents[2] / "migrating" / "released.json"


class Command(BaseCommand):
    help = (
        "Carry the migrations since the last release out in a database of their own, and fail "
        "where MySQL would have to rewrite a table or keep writers out of it."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--release", action="store_true", help="write down what there is now")

    def handle(self, *args: Any, release: bool, **options: Any) -> None:
        if release:
            lines = ",\n".join(f"  {json.dumps(key)}" for key in sorted(newest()))
            RELEASED.write_text(f"[\n{lines}\n]\n")
            return
        if connection.vendor != "mysql":
            raise CommandError("Only MySQL can say: set DATABASE_URL.")
        with scratch():
            plan = after_release()
            found = refused(connection, plan)
        for refusal in found:
            self.stdout.write(str(refusal))
        if found:
            raise CommandError(f"{len(found)} statements would stop a shop at work")
        self.stdout.write(f"{len(plan)} migrations since the last release, none of them locks")


def newest() -> list[list[str]]:
    """The last migration of each app."""
    return [list(key) for key in MigrationLoader(None).graph.leaf_nodes()]


def after_release() -> list[Any]:
    """Bring this empty database to the last release; what is left to run since."""
    executor = MigrationExecutor(connection)
    executor.migrate([(app, name) for app, name in json.loads(RELEASED.read_text())])
    executor.loader.build_graph()
    return executor.migration_plan(executor.loader.graph.leaf_nodes())


@contextmanager
def scratch() -> Iterator[None]:
    """A database beside the configured one, gone afterwards; the connection is to it."""
    own = str(connection.settings_dict["NAME"])
    name = f"{own}_migrations"
    with connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS `{name}`")
        cursor.execute(f"CREATE DATABASE `{name}`")
    connection.close()
    connection.settings_dict["NAME"] = name
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict["NAME"] = own
        with connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE IF EXISTS `{name}`")

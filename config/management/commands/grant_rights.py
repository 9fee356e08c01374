"""Give the running database user its rights, table by table; rows that are written once stay so."""

from typing import Any

from django.apps import apps
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from common.append_only import AppendOnly

READ = "SELECT"
ADD = "SELECT, INSERT"
WORK = "SELECT, INSERT, UPDATE, DELETE"


class Command(BaseCommand):
    help = "Grant the running database user its rights on each table. Run it after each migration."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--user", required=True, help="the user the shop runs as")
        parser.add_argument("--host", default="%", help="where it connects from (default: %%)")

    def handle(self, *args: Any, user: str, host: str, **options: Any) -> None:
        if connection.vendor != "mysql":
            raise CommandError("Only MySQL has users with rights.")
        with connection.cursor() as cursor:
            for table in sorted(connection.introspection.table_names(cursor)):
                # What an earlier release allowed goes first.
                cursor.execute(f"REVOKE IF EXISTS ALL ON `{table}` FROM %s@%s", [user, host])
                cursor.execute(f"GRANT {rights(table)} ON `{table}` TO %s@%s", [user, host])
            # MySQL reads _ and % in the schema's name of such a statement as wildcards.
            cursor.execute("SELECT DATABASE()")
            schema = cursor.fetchone()[0].replace("_", r"\_").replace("%", r"\%")
            cursor.execute(f"REVOKE IF EXISTS ALL ON `{schema}`.* FROM %s@%s", [user, host])
        self.stdout.write(f"{user} has its rights")


def rights(table: str) -> str:
    """`django_migrations` is for `/readyz` to read."""
    if table == "django_migrations":
        return READ
    return ADD if table in written_once() else WORK


def written_once() -> set[str]:
    return {model._meta.db_table for model in apps.get_models() if issubclass(model, AppendOnly)}

"""A dump of a MySQL database and its restoration beside it, as docs/operations.md has it done.

By mysqldump where MySQL's own is on the PATH (Debian gives MariaDB's the same name). Elsewhere as
mysqldump does it: each table as `SHOW CREATE TABLE` tells it, and its rows, in one snapshot.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from django.db import connection

Cursor = Any


def with_mysqldump() -> bool:
    program = shutil.which("mysqldump")
    if program is None:
        return False
    answer = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    return answer.returncode == 0 and "MariaDB" not in answer.stdout


def dump(database: str) -> str:
    """The statements that make the database's tables and rows."""
    return _by_mysqldump(database) if with_mysqldump() else _by_statements(database)


def restore(statements: str, database: str) -> None:
    """Make `database` anew, with what was dumped and nothing else."""
    with _session() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS `{database}`")
        cursor.execute(f"CREATE DATABASE `{database}`")
        cursor.execute(f"USE `{database}`")
        cursor.execute(statements)
        while cursor.nextset():
            pass


def drop(database: str) -> None:
    execute(f"DROP DATABASE IF EXISTS `{database}`")


def execute(statement: str) -> int:
    """How many rows it changed."""
    with _session() as cursor:
        return int(cursor.execute(statement))


def _by_mysqldump(database: str) -> str:
    options = connection.get_connection_params()
    place = (f"--host={options['host']}", f"--port={options['port']}", f"--user={options['user']}")
    done = subprocess.run(
        ["mysqldump", "--single-transaction", "--set-gtid-purged=OFF", *place, database],
        env={**os.environ, "MYSQL_PWD": options["password"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _by_statements(database: str) -> str:
    with _session() as cursor:
        cursor.execute(f"USE `{database}`")
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        cursor.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT")
        assert not cursor.execute("SHOW TRIGGERS"), "a dump of our own brings no triggers"
        cursor.execute("SHOW TABLES")
        tables = [name for (name,) in cursor.fetchall()]
        # A table may refer to one that is made later.
        parts = ["SET foreign_key_checks = 0"]
        for table in tables:
            parts += _of_table(cursor, table)
    return ";\n".join(parts)


def _of_table(cursor: Cursor, table: str) -> Iterator[str]:
    cursor.execute(f"SHOW CREATE TABLE `{table}`")
    yield cursor.fetchone()[1]
    cursor.execute(f"SHOW COLUMNS FROM `{table}`")
    # MySQL computes the generated ones itself, and takes no value for them.
    names = [row[0] for row in cursor.fetchall() if row[5] not in GENERATED]
    quoted = ", ', ', ".join(f"QUOTE(`{name}`)" for name in names)
    cursor.execute(f"SELECT CONCAT('(', {quoted}, ')') FROM `{table}` ORDER BY 1")
    if rows := [row for (row,) in cursor.fetchall()]:
        columns = ", ".join(f"`{name}`" for name in names)
        yield f"INSERT INTO `{table}` ({columns}) VALUES\n" + ",\n".join(rows)


GENERATED = ("STORED GENERATED", "VIRTUAL GENERATED")


@contextmanager
def _session() -> Iterator[Cursor]:
    """A connection apart from the test's, without a database, that commits each statement."""
    options = {**connection.get_connection_params(), "autocommit": True}
    options.pop("database", None)
    with (
        closing(connection.Database.connect(**options)) as session,
        closing(session.cursor()) as cursor,
    ):
        yield cursor

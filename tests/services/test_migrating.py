"""Which migrations a shop at work survives: MySQL says so itself."""

from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, models

from config.migrating import rules, watch
from shop.models import Order

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("real_mysql"),
]
TABLE = "migrating_try"


@pytest.fixture
def table() -> Iterator[str]:
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE IF EXISTS {TABLE}")
        cursor.execute(
            f"CREATE TABLE {TABLE} (id BIGINT PRIMARY KEY AUTO_INCREMENT, name VARCHAR(40), "
            "amount INT NOT NULL DEFAULT 0, other_id BIGINT NULL)"
        )
    yield TABLE
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE {TABLE}")


def refused(*statements: str) -> list[str]:
    """Which of these are refused; they are carried out all the same."""
    seen = watch.Watch("shop.next")
    with watch.watching(connection, seen), connection.schema_editor(atomic=False) as editor:
        for statement in statements:
            editor.execute(statement)
    return [refusal.statement for refusal in seen.refusals]


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize(
    "statement",
    [
        f"ALTER TABLE {TABLE} ADD COLUMN note VARCHAR(20) NULL",
        f"ALTER TABLE {TABLE} ADD COLUMN note VARCHAR(20) NOT NULL DEFAULT ''",
        f"ALTER TABLE {TABLE} ALTER COLUMN amount DROP DEFAULT",
        f"ALTER TABLE {TABLE} RENAME COLUMN amount TO sum",
        f"CREATE INDEX try_name ON {TABLE} (name)",
        f"ALTER TABLE {TABLE} ADD CONSTRAINT try_once UNIQUE (name)",
        f"ALTER TABLE {TABLE} ADD INDEX try_amount (amount)",
        f"ALTER TABLE {TABLE} DROP COLUMN name",
    ],
)
def test_what_only_describes_or_builds_beside_is_let_through(statement: str) -> None:
    assert refused(statement) == []


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize(
    "statement",
    [
        f"ALTER TABLE {TABLE} MODIFY amount BIGINT NOT NULL",
        f"ALTER TABLE {TABLE} MODIFY name VARCHAR(40) NOT NULL",
        f"ALTER TABLE {TABLE} MODIFY name VARCHAR(400)",
        f"ALTER TABLE {TABLE} ADD CONSTRAINT try_positive CHECK (amount >= 0)",
        f"ALTER TABLE {TABLE} ADD CONSTRAINT try_other FOREIGN KEY (other_id) "
        "REFERENCES accounts_user (id)",
        f"ALTER TABLE {TABLE} CONVERT TO CHARACTER SET latin1",
        f"UPDATE {TABLE} SET amount = 1",
    ],
)
def test_what_rewrites_or_locks_is_refused(statement: str) -> None:
    assert refused(statement) == [statement]


def test_control_without_the_question_mysql_lets_everything_pass(
    table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "without_lock", lambda statement: statement)
    assert refused(f"ALTER TABLE {table} MODIFY amount BIGINT NOT NULL") == []


def test_a_table_that_the_same_release_makes_is_empty_and_free() -> None:
    made = "CREATE TABLE migrating_new (id INT PRIMARY KEY, name VARCHAR(10))"
    rewritten = "ALTER TABLE migrating_new MODIFY name VARCHAR(300) NOT NULL"
    assert refused(made, rewritten, "DROP TABLE migrating_new") == []


def test_a_field_of_djangos_own_making_goes_through() -> None:
    """As a migration adds it: with an index, and with a default that is dropped again."""
    note: models.Field[Any, Any] = models.CharField(max_length=20, default="none", db_index=True)
    note.set_attributes_from_name("try_note")
    note.model = Order
    seen = watch.Watch("shop.next")
    try:
        with watch.watching(connection, seen), connection.schema_editor(atomic=False) as editor:
            editor.add_field(Order, note)
        assert seen.refusals == []
    finally:
        with connection.schema_editor(atomic=False) as editor:
            editor.remove_field(Order, note)


@pytest.mark.timeout(900)
def test_no_migration_since_the_last_release_stops_a_shop_at_work() -> None:
    said = StringIO()
    call_command("check_migrations", stdout=said)
    assert "none of them locks" in said.getvalue()

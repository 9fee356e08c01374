"""The database user of the running shop cannot rewrite what is written once."""

import secrets
from collections.abc import Iterator
from typing import Any

import MySQLdb
import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connection

from common.append_only import AppendOnly, Immutable
from config.management.commands.grant_rights import written_once

pytestmark = pytest.mark.django_db(transaction=True)

DENIED = 1142


@pytest.fixture
def user() -> Iterator[str]:
    """A database user that may do everything, as one of an earlier release."""
    assert connection.vendor == "mysql", "run me through: python .ci/servers.py run -- pytest"
    name = f"shop_{secrets.token_hex(4)}"
    with connection.cursor() as cursor:
        cursor.execute("CREATE USER %s@'%%' IDENTIFIED BY 'x'", [name])
        schema = connection.settings_dict["NAME"].replace("_", r"\_")
        cursor.execute(f"GRANT ALL ON `{schema}`.* TO %s@'%%'", [name])
    yield name
    with connection.cursor() as cursor:
        cursor.execute("DROP USER %s@'%%'", [name])


def tried(user: str, statement: str) -> int:
    """The error's number, 0 where the statement was allowed."""
    at = connection.get_connection_params()
    place = {key: at[key] for key in ("host", "port", "unix_socket") if key in at}
    client = MySQLdb.connect(user=user, password="x", db=at["database"], **place)
    try:
        client.cursor().execute(statement)
    except MySQLdb.Error as error:
        return int(error.args[0])
    finally:
        client.close()
    return 0


def changes(table: str) -> list[str]:
    return [f"DELETE FROM {table} WHERE 1 = 0", f"UPDATE {table} SET id = id WHERE 1 = 0"]


def test_history_can_be_added_to_and_read_and_nothing_else(user: str) -> None:
    for _ in range(2):
        call_command("grant_rights", user=user, verbosity=0)
    assert tried(user, "SELECT * FROM accounts_posting") == 0
    for statement in [*changes("accounts_posting"), *changes("accounts_transfer")]:
        assert tried(user, statement) == DENIED
    assert tried(user, "DELETE FROM common_auditentry WHERE 1 = 0") == DENIED
    assert tried(user, "DROP TABLE accounts_posting") == DENIED
    assert tried(user, "ALTER TABLE accounts_posting ADD x INT") == DENIED
    assert tried(user, "DELETE FROM django_migrations WHERE 1 = 0") == DENIED
    for table in ("accounts_account", "accounts_postingmark", "accounts_postingsum"):
        assert tried(user, f"UPDATE {table} SET id = id WHERE 1 = 0") == 0


def test_control_without_the_command_history_can_be_rewritten(user: str) -> None:
    assert [tried(user, statement) for statement in changes("accounts_posting")] == [0, 0]


def test_every_table_whose_rows_are_facts_is_one_of_them() -> None:
    assert written_once() == {
        "accounts_posting",
        "accounts_transfer",
        "common_auditbatch",
        "common_auditentry",
        "common_auditseal",
        "payments_coinrefundattempt",
        "payments_creditshare",
        "payments_paymentevent",
        "payments_refundline",
        "shop_orderevent",
        "shop_pricechange",
        "shop_stockmovement",
    }


@pytest.mark.parametrize(
    "model",
    [m for m in apps.get_models() if issubclass(m, AppendOnly)],
    ids=lambda m: m._meta.label,
)
def test_the_code_has_no_way_either(model: Any) -> None:
    rows = model.objects.all()
    for act in (rows.delete, lambda: rows.update(pk=1), lambda: rows.bulk_update([], ["pk"])):
        with pytest.raises(Immutable):
            act()


def test_sqlite_has_no_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "vendor", "sqlite")
    with pytest.raises(CommandError, match="MySQL"):
        call_command("grant_rights", user="x", verbosity=0)

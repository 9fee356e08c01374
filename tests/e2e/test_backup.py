"""The drill: a dump while buyers buy, restored elsewhere; what was lost is what came after it."""

import gzip
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
from django.db import connection

from payments.intake.models import Payment
from shop.models import Order
from tests.e2e import dumps
from tests.faults.conftest import redis_server, stripe_world
from tests.faults.stacked import (
    Stack,
    all_are_paid,
    buyers,
    redis_kept,
    stack,
    stack_environment,
)

# isort: split
from throwaway.debian import mysql_client

__all__ = ["redis_kept", "redis_server", "stack", "stack_environment", "stripe_world"]
pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("real_mysql"),
    pytest.mark.timeout(1800),
]
ROOT = Path(__file__).resolve().parents[2]
# What is left for people, and the payment that it is of, where it is one that the dump has not.
LEFT = re.compile(r"\bleft  \S+: .*$", re.M)
MISSING = re.compile(r"for payment (\S+), which is not here")


@pytest.fixture
def programs(tmp_path: Path) -> str:
    """A PATH with MySQL's own client in front."""
    return f"{mysql_client(tmp_path / 'client')}:{os.environ['PATH']}"


def url(database: str) -> str:
    parts = urlsplit(os.environ["TEST_DATABASE_URL"])
    return urlunsplit(parts._replace(path=f"/{database}"))


@pytest.fixture
def elsewhere() -> Iterator[str]:
    """A second database, for the restored shop."""
    name = f"{connection.settings_dict['NAME']}_elsewhere"
    dumps.execute(f"CREATE DATABASE IF NOT EXISTS `{name}`")
    yield name
    dumps.drop(name)


def backup(programs: str, *words: str) -> str:
    """What `deploy/backup.py` said. AssertionError where it failed."""
    done = subprocess.run(
        [sys.executable, "deploy/backup.py", *words],
        cwd=ROOT,
        env={**os.environ, "PATH": programs},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def dump(programs: str, folder: Path) -> Path:
    backup(programs, "dump", "--url", url(str(connection.settings_dict["NAME"])), str(folder))
    [file] = folder.glob("souk-*.sql.gz")
    return file


@pytest.mark.at_length("tests/e2e/test_restore.py, and a dump of a shop at rest")
@pytest.mark.proof(
    "Backup under load, restored elsewhere",
    size="4 buyers",
    control="test_control_a_dump_of_one_moment_is_what_makes_it_whole",
)
def test_a_dump_under_load_is_a_whole_shop(
    stack: Stack, elsewhere: str, programs: str, tmp_path: Path, record_property: Any
) -> None:
    stack.start(["web-1", "web-2", "worker", "beat"])
    stack.start_nginx()
    with buyers(stack) as crowd:
        crowd.wait_for(4)
        before = list(crowd.orders)
        started = datetime.now(UTC)
        file = dump(programs, tmp_path / "dumps")
        crowd.wait_for(4)
    disaster = datetime.now(UTC)
    all_are_paid(stack, crowd.orders)
    assert crowd.failures == []
    said = backup(programs, "restore", "--url", url(elsewhere), "--yes", elsewhere, str(file))
    assert "loss window" in said
    stack.stop()

    here = {"DATABASE_URL": url(elsewhere)}
    numbers = restored_numbers(elsewhere)
    # Everything acknowledged before it began is in it; what came later is the loss.
    assert set(before) <= numbers
    # What was under way at that moment is finished by the tasks and polls of the restored shop.
    stack.manage("shell", "-c", FINISH, **here)
    reconciled = reconcile(stack, here)
    lost = {
        str(uid)
        for uid in Payment.objects.exclude(order__number__in=numbers).values_list("uid", flat=True)
    }
    left = LEFT.findall(reconciled)
    found = [MISSING.search(line) for line in left]
    assert {match[1] if match else None for match in found} <= lost, reconciled
    assert len(left) >= 4
    assert "invariants hold" in stack.manage("check_invariants", **here)
    window = (disaster - started).total_seconds()
    gone = Order.objects.exclude(number__in=numbers).filter(number__in=crowd.orders).count()
    shown = f"loss window {window:.1f} s: {gone} of {len(crowd.orders)} acknowledged orders"
    record_property("shown", shown)
    print(shown)


# The restored shop at work: what the outbox owes is done, overdue or not, without a broker.
FINISH = """
from celery import current_app
from django.db.models.functions import Now
from common.outbox import services
from common.outbox.models import OutboxMessage
services.send = lambda *_: None
for _ in range(10):
    owed = list(OutboxMessage.objects.filter(done_at=None))
    OutboxMessage.objects.filter(done_at=None).update(next_attempt_at=Now())
    for message in owed:
        current_app.tasks[message.task](**message.payload, outbox_id=message.pk)
"""


def reconcile(stack: Stack, here: dict[str, str]) -> str:
    """Twice: what the first run mends, the second finds in order; both may leave what is lost."""
    said = ""
    for _ in range(2):
        try:
            said = stack.manage("reconcile", **here)
        except RuntimeError as error:
            said = str(error)
    assert " 0 mended" in said, said
    return said


def restored_numbers(database: str) -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT number FROM `{database}`.shop_order")
        return {number for (number,) in cursor.fetchall()}


@pytest.mark.at_length("the same")
def test_control_a_dump_of_one_moment_is_what_makes_it_whole(
    stack: Stack, elsewhere: str, programs: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the one transaction, tables are of different moments: orders without their lines."""
    stack.start(["web-1", "worker"])
    stack.start_nginx()
    torn = (ROOT / "deploy" / "backup.py").read_text()
    torn = torn.replace('"--single-transaction"', '"--skip-lock-tables"')
    torn = torn.replace('"--quick"', '"--quick", "--skip-extended-insert"')
    script = tmp_path / "torn.py"
    script.write_text(torn)
    with buyers(stack, pause=0) as crowd:
        for attempt in range(8):
            crowd.wait_for(3)
            folder = tmp_path / f"dumps-{attempt}"
            slowly = [*_words(script, folder)]
            subprocess.run(slowly, env={**os.environ, "PATH": programs}, check=True)
            [file] = folder.glob("souk-*.sql.gz")
            if is_torn(file, elsewhere):
                return
            time.sleep(0.1)
    pytest.fail("eight dumps without the transaction, and none was torn")


def _words(script: Path, folder: Path) -> list[str]:
    place = url(str(connection.settings_dict["NAME"]))
    return [sys.executable, str(script), "dump", "--url", place, str(folder)]


def is_torn(file: Path, database: str) -> bool:
    """Whether a line, payment or hold is in it whose order or stock is of another moment."""
    dumps.restore(gzip.decompress(file.read_bytes()).decode(), database)
    checks = (
        "shop_orderline l LEFT JOIN `{0}`.shop_order o ON o.id = l.order_id WHERE o.id IS NULL",
        "payments_payment p LEFT JOIN `{0}`.shop_order o ON o.id = p.order_id "
        "WHERE o.id IS NULL AND p.order_id IS NOT NULL",
        "shop_order o LEFT JOIN `{0}`.shop_orderline l ON l.order_id = o.id WHERE l.id IS NULL",
        "shop_order o LEFT JOIN `{0}`.payments_payment p ON p.order_id = o.id WHERE p.id IS NULL",
    )
    with connection.cursor() as cursor:
        for text in checks:
            cursor.execute(f"SELECT COUNT(*) FROM `{database}`." + text.format(database))
            if cursor.fetchone()[0]:
                return True
    return False


def test_a_dump_that_is_not_whole_is_not_restored(
    programs: str, elsewhere: str, tmp_path: Path
) -> None:
    dumps.execute(f"CREATE TABLE `{elsewhere}`.kept (id INT)")
    file = tmp_path / "souk-20260101T000000Z.sql.gz"
    file.write_bytes(gzip.compress(b"DROP TABLE kept;\n"))
    with pytest.raises(AssertionError, match="not whole"):
        backup(programs, "restore", "--url", url(elsewhere), "--yes", elsewhere, str(file))
    dumps.execute(f"SELECT * FROM `{elsewhere}`.kept")


def test_a_database_is_replaced_by_its_name_only(
    programs: str, elsewhere: str, tmp_path: Path
) -> None:
    with pytest.raises(AssertionError, match=f"say --yes {elsewhere}"):
        backup(programs, "restore", "--url", url(elsewhere), str(tmp_path / "any.sql.gz"))


def test_a_dump_under_another_name_is_restored_and_tells_its_moment(
    programs: str, elsewhere: str, tmp_path: Path
) -> None:
    """Its time was read from the name after all was replaced, and the command ended in an error."""
    file = tmp_path / "before-the-sale.sql.gz"
    with gzip.GzipFile(file, "wb", mtime=datetime(2026, 1, 31, 12, tzinfo=UTC).timestamp()) as made:
        made.write(b"CREATE TABLE kept (id INT);\n-- Dump completed\n")
    said = backup(programs, "restore", "--url", url(elsewhere), "--yes", elsewhere, str(file))
    assert "after 2026-01-31 12:00:00 UTC is not in it" in said
    dumps.execute(f"SELECT * FROM `{elsewhere}`.kept")


def test_a_dump_that_fails_leaves_no_file(programs: str, tmp_path: Path) -> None:
    folder = tmp_path / "dumps"
    with pytest.raises(AssertionError, match="mysqldump"):
        backup(programs, "dump", "--url", url("there_is_none"), str(folder))
    assert list(folder.iterdir()) == []


def test_the_oldest_dumps_go(programs: str, tmp_path: Path, elsewhere: str) -> None:
    for day in (1, 2, 3):
        (tmp_path / f"souk-2026010{day}T000000Z.sql.gz").touch()
    backup(programs, "dump", "--url", url(elsewhere), "--keep", "2", str(tmp_path))
    names = sorted(path.name for path in tmp_path.glob("souk-*"))
    assert len(names) == 2
    assert names[0] == "souk-20260103T000000Z.sql.gz"

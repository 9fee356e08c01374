"""A deadlock in the middle of each write of the document: carried out once, or refused clean.

The races meet real ones; here one is made up at the first statement that writes, so that no write
path escapes. A path that is missing in `access_table` fails there.
"""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import OperationalError, connection

from tests.api.access_table import TABLE, Operation
from tests.api.hostile import Target, stored
from tests.factories.orders import own_rollbacks

__all__ = ["own_rollbacks"]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_rollbacks", "sandbox")]

WRITES = sorted(operation for operation in TABLE if operation[0] != "GET")
# Their tokens are looked at, or made up; places in a waiting room are in Redis.
NOTHING_TO_WRITE = {
    ("POST", "/api/v1/flash-sales/{slug}/queue/"),
    ("POST", "/api/v1/auth/token/verify/"),
    ("POST", "/api/v1/auth/password/reset/confirm/"),
    ("POST", "/api/v1/auth/email/verify/"),
}
ALWAYS = 1000


class Trouble:
    """The database refuses the first `times` statements that write."""

    def __init__(self, code: int, times: int) -> None:
        self.code, self.times, self.seen = code, times, 0

    def __call__(self, execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        if sql.startswith(("INSERT", "UPDATE", "DELETE")) and self.seen < self.times:
            self.seen += 1
            raise OperationalError(self.code, "made up")
        return execute(sql, *rest)


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("common.db._pause", lambda attempt: None)


def send(operation: Operation, trouble: Trouble) -> tuple[Any, Any, Any]:
    """The answer, and all rows before and after."""
    target = Target(operation)
    body, before = target.body(), stored()
    with connection.execute_wrapper(trouble):
        answer = target.send(body)
    return answer, before, stored()


def ids(operation: Operation) -> str:
    return " ".join(operation)


@pytest.mark.parametrize("operation", WRITES, ids=ids)
def test_one_deadlock_changes_nothing_for_the_caller(operation: Operation) -> None:
    trouble = Trouble(1213, 1)
    answer, _, _ = send(operation, trouble)
    assert answer.status_code == TABLE[operation].status, answer.content
    assert trouble.seen == (0 if operation in NOTHING_TO_WRITE else 1)


@pytest.mark.parametrize("operation", [w for w in WRITES if w not in NOTHING_TO_WRITE], ids=ids)
def test_lock_wait_timeouts_without_end_are_503_and_leave_nothing(operation: Operation) -> None:
    answer, before, after = send(operation, Trouble(1205, ALWAYS))
    assert (answer.status_code, answer.json()["code"]) == (503, "busy")
    assert int(answer["Retry-After"]) > 0
    assert after == before


def test_control_without_the_retry_the_caller_meets_the_deadlock(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("common.db.ATTEMPTS", 1)
    answer, _, _ = send(("POST", "/api/v1/orders/"), Trouble(1213, 1))
    assert answer.status_code == 503

"""The server is lost between a transaction's end and the next statement of the same thread."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from celery.signals import task_prerun
from django.core.signals import request_started
from django.db import Error, connection, connections, transaction
from rest_framework.test import APIClient

from common.db import drop_stuck_connections
from tests.races.parallel import in_parallel, quiet

pytestmark = pytest.mark.django_db(transaction=True)


def lose_connection() -> None:
    """What two transactions of one request leave behind when the first one's COMMIT is the last."""
    own = connections["default"]
    commit = own.commit

    def commit_and_die() -> None:
        commit()
        with own.connection.cursor() as cursor, suppress(own.Database.Error):
            cursor.execute("KILL CONNECTION_ID()")

    own.commit = commit_and_die
    for _ in range(2):
        with suppress(Error), transaction.atomic():
            pass


def after_losing_it(then: Callable[[], Any]) -> Any:
    """`then`, in a thread whose connection was lost; what it returned or raised."""

    def run() -> Any:
        lose_connection()
        return then()

    [answer] = in_parallel([run])
    return answer


def readings() -> list[int]:
    """Three requests that read the catalogue."""
    client = quiet(APIClient())
    return [client.get("/api/v1/products/").status_code for _ in range(3)]


@pytest.mark.proof(
    "A connection lost between two transactions",
    size="3 requests after it",
    control="test_control_without_it_the_thread_never_answers_again",
)
def test_the_next_request_of_the_thread_has_a_new_connection() -> None:
    assert after_losing_it(readings) == [200, 200, 200]


def test_the_next_task_of_the_process_has_one_too() -> None:
    def task() -> bool:
        task_prerun.send(sender=None)
        return connection.is_usable() if connection.connection else _reads()

    assert after_losing_it(task) is True


def _reads() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        return bool(cursor.fetchone() == (1,))


def test_control_without_it_the_thread_never_answers_again() -> None:
    request_started.disconnect(drop_stuck_connections)
    try:
        answer = after_losing_it(readings)
    finally:
        request_started.connect(drop_stuck_connections)
    assert set(answer) <= {500, 503}


def test_a_transaction_under_way_is_left_alone() -> None:
    with transaction.atomic():
        before = connection.connection
        drop_stuck_connections()
        assert connection.connection is before

"""Releases under load: replicas are exchanged and tables changed while buyers buy."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection, models

from config.migrating import watch
from payments.sandbox.stripe import StripeSandbox
from shop.models import Order
from tests.faults.stacked import (
    Stack,
    buyers,
    nothing_lost,
    redis_kept,
    stack,
    stack_environment,
)
from tests.sizes import sized

__all__ = ["redis_kept", "stack", "stack_environment"]
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(1800)]

ROUNDS = sized(1, 5)


@pytest.fixture
def new_column() -> Iterator[Any]:
    """What a migration adds to a table that everybody writes, and takes away again."""
    column: models.Field[Any, Any] = models.CharField(max_length=40, null=True, db_index=True)
    column.set_attributes_from_name("gift_note")
    column.model = Order
    yield column
    with connection.schema_editor() as editor:
        editor.execute("ALTER TABLE shop_order DROP COLUMN gift_note")


def migrate(column: Any) -> list[watch.Refusal]:
    """As a release does it: a column and an index, neither of which locks."""
    seen = watch.Watch("shop.next")
    with watch.watching(connection, seen), connection.schema_editor() as editor:
        editor.add_field(Order, column)
    return seen.refusals


@pytest.mark.at_length("SIGTERM alone, and tests/services/test_migrating.py")
@pytest.mark.proof(
    "Rolling restarts and a migration while buyers buy",
    size=f"{ROUNDS} times all processes, 4 buyers",
    control="test_control_replicas_killed_without_draining_fail_requests",
)
def test_a_release_fails_no_request_and_loses_no_task(
    stack: Stack, stripe_world: StripeSandbox, new_column: Any, record_property: Any
) -> None:
    stack.start()
    stack.start_nginx()
    with buyers(stack) as crowd:
        crowd.wait_for(3)
        for number in range(ROUNDS):
            for name in stack.web:
                stack.roll(name)
                crowd.wait_for(2)
            if number == 0:
                assert migrate(new_column) == []
            for name in ("stream", "worker", "beat"):
                stack.restart(name)
            crowd.wait_for(3)
    assert crowd.failures == []
    nothing_lost(stack, crowd, stripe_world)
    slowest = max(crowd.times)
    shown = f"{len(crowd.orders)} bought meanwhile, none failed; slowest answer {slowest:.1f} s"
    record_property("shown", shown)


@pytest.mark.at_length("the same")
def test_control_replicas_killed_without_draining_fail_requests(
    stack: Stack, stripe_world: StripeSandbox
) -> None:
    stack.start(["web-1", "web-2", "worker", "beat"])
    stack.start_nginx()
    with buyers(stack, pause=0, looks=False) as crowd:
        crowd.wait_for(3)
        for _ in range(10):
            stack.lose("web-1")
            stack.processes["web-1"].start()
            stack.wait_ready("web-1")
            crowd.wait_for(3)
            if crowd.failures:
                break
    assert crowd.failures


def test_sigterm_alone_finishes_what_a_replica_has_begun(stack: Stack) -> None:
    """Without nginx: the requests that it has taken are answered before it ends."""
    stack.start(["web-1"])
    stack.url = f"http://127.0.0.1:{stack.web['web-1']}"
    with buyers(stack, count=3, pause=0, looks=False) as crowd:
        crowd.wait_for(2)
        ending = threading.Thread(target=stack.processes["web-1"].terminate)
        ending.start()
        ending.join()
        answered = len(crowd.times)
        crowd._end.set()
    assert answered > 0
    told = {failure.told.partition("(")[0] for failure in crowd.failures}
    # Nobody was cut off in the middle of an answer: what failed had found the door shut.
    assert told <= {"ConnectError", "RemoteProtocolError", "ReadError"}, told
    numbers = Order.objects.values_list("number", flat=True)
    assert set(crowd.orders) <= set(numbers)

"""The production shape as real processes behind nginx, on the test's own database."""

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
import redis
from django.conf import settings
from django.db import connection
from django.db.models.functions import Now

from common.outbox.models import OutboxMessage
from config import invariants
from payments.sandbox.stripe import StripeSandbox
from shop.models import Order
from tests.factories.shop import ProductFactory
from tests.faults.buyers import Buyers
from tests.faults.processes import servers, wait_until
from tests.faults.rush import signed_in

# isort: split
# Found by the path that `processes` has put there.
from shape.stack import Stack

__all__ = ["Stack", "redis_kept", "stack", "stack_environment"]


@pytest.fixture
def redis_kept(tmp_path: Path) -> Iterator[Any]:
    """As in production, it keeps what it has answered."""
    server = servers.start_redis(tmp_path / "redis-kept", appendonly=True)
    yield server
    server.stop()


@pytest.fixture
def stack_environment(
    transactional_db: None, redis_kept: Any, stripe_world: StripeSandbox
) -> dict[str, str]:
    return environment_for(redis_kept.url, stripe_world.url)


def environment_for(redis_url: str, stripe_url: str) -> dict[str, str]:
    """Of processes that work on the test's own database."""
    parts = urlsplit(os.environ["TEST_DATABASE_URL"])
    return {
        "DJANGO_SETTINGS_MODULE": "tests.faults.settings",
        "SECRET_KEY": "a-secret-key-for-tests-only-0123456789-abcdefghijklmnop",
        "JWT_SIGNING_KEY": "a-signing-key-for-tests-only-0123456789-abcdefghijklmnop",
        "DATABASE_URL": urlunsplit(parts._replace(path=f"/{connection.settings_dict['NAME']}")),
        "REDIS_URL": redis_url,
        "STRIPE_SECRET_KEY": "",
        "STRIPE_SANDBOX_URL": stripe_url,
        "STRIPE_WEBHOOK_SECRET": "whsec_tests",
        "LOG_LEVEL": "INFO",
    }


@pytest.fixture
def stack(tmp_path: Path, stack_environment: dict[str, str]) -> Iterator[Stack]:
    """Nothing runs yet; whatever a test starts is killed after it."""
    made = Stack(tmp_path / "stack", stack_environment, together=True)
    yield made
    made.kill()


def buyers(stack: Stack, count: int = 4, **how: Any) -> Buyers:
    return Buyers(stack.url, signed_in(count), ProductFactory(stock=100_000).slug, **how)


def why(stack: Stack) -> str:
    open_ones = OutboxMessage.objects.filter(done_at=None)
    with redis.Redis.from_url(stack.environment["REDIS_URL"]) as client:
        waiting = {queue: client.llen(queue) for queue in settings.QUEUES}
    log = stack.processes["worker"].log()
    return (
        f"{open_ones.count()} open: {list(open_ones.values()[:5])}\nin the broker: {waiting}\n{log}"
    )


def all_are_paid(stack: Stack, numbers: list[str], *, seconds: float = 300) -> float:
    """Wait until every order whose payment was accepted is paid; how long that took."""

    def paid() -> bool:
        stack.heal()
        return Order.objects.filter(number__in=numbers, status="paid").count() == len(numbers)

    return wait_until(paid, seconds=seconds, why=partial(why, stack))


def nothing_lost(stack: Stack, crowd: Buyers, stripe_world: StripeSandbox) -> None:
    """Each accepted payment: one paid order, one charge; no task left; every invariant."""
    assert len(set(crowd.orders)) == len(crowd.orders) > 0
    all_are_paid(stack, crowd.orders)
    wait_until(lambda: not owed(), seconds=300, why=partial(why, stack))
    charged = [charge["payment_intent"] for charge in stripe_world.charges()]
    assert len(charged) == len(set(charged))
    assert invariants.breaches() == []


def owed() -> bool:
    return OutboxMessage.objects.filter(done_at=None, next_attempt_at__lte=Now()).exists()

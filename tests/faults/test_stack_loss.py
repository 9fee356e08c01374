"""Each process is lost while buyers buy: they get a clear 503 at most, and buy at the next try."""

import time
from typing import Any

import httpx
import pytest

from payments.intake.models import Payment
from payments.sandbox.stripe import StripeSandbox
from shop.models import Order
from tests.faults.buyers import Buyers
from tests.faults.processes import servers, wait_until
from tests.faults.stacked import (
    Stack,
    all_are_paid,
    buyers,
    nothing_lost,
    redis_kept,
    stack,
    stack_environment,
)
from tests.sizes import sized

__all__ = ["redis_kept", "stack", "stack_environment"]
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(1800)]

AWAY = 1.5
LOSSES = sized(1, 3)
EACH = [["web-1"], ["web-1", "web-2"], ["worker"], ["stream"], ["beat"]]


def lose(stack: Stack, names: list[str], crowd: Buyers) -> None:
    """Killed, away for a moment, started again by the restart policy; the buyers go on."""
    for _ in range(LOSSES):
        crowd.wait_for(2)
        for name in names:
            stack.lose(name)
        time.sleep(AWAY)
        assert set(stack.heal()) >= set(names)
        for name in names:
            stack.wait_ready(name)
    crowd.wait_for(4)


def said(crowd: Buyers) -> set[str]:
    """What clients were told, without the words: 503, or an answer with the same key under way."""
    return {failure.told[:3] for failure in crowd.failures}


@pytest.mark.at_length("while no replica answers, and test_kills.py")
@pytest.mark.proof(
    "Loss of a process of the shop",
    size=f"{len(EACH)} kinds, {LOSSES} times each, 4 buyers",
    control="test_control_who_does_not_ask_again_has_bought_nothing",
)
@pytest.mark.parametrize("names", EACH, ids=" and ".join)
def test_a_lost_process_costs_a_retry_at_most(
    stack: Stack, stripe_world: StripeSandbox, names: list[str], record_property: Any
) -> None:
    stack.start()
    stack.start_nginx()
    with buyers(stack, patient=True) as crowd:
        lose(stack, names, crowd)
    assert said(crowd) <= {"503", "409"}
    assert all(failure.retry_after for failure in crowd.failures)
    # One key, one order: what was asked twice was not bought twice.
    nothing_lost(stack, crowd, stripe_world)
    record_property("shown", f"{names}: {len(crowd.orders)} bought, {len(crowd.failures)} retries")


@pytest.mark.at_length("the same")
def test_control_who_does_not_ask_again_has_bought_nothing(stack: Stack) -> None:
    stack.start(["web-1", "web-2"])
    stack.start_nginx()
    with buyers(stack, count=2) as crowd:
        crowd.wait_for(2)
        for name in stack.web:
            stack.lose(name)
        wait_until(lambda: crowd.failures, seconds=120)


@pytest.mark.at_length("test_kills.py: Redis killed in a sale")
@pytest.mark.proof(
    "Loss of the Redis of locks and queues, and of the cache's",
    size="each once, 4 buyers",
    control="test_control_without_the_sweep_what_redis_lost_stays_undone",
)
@pytest.mark.parametrize("which", ["redis", "cache"])
def test_a_lost_redis_costs_a_retry_at_most(
    stack: Stack, stripe_world: StripeSandbox, redis_kept: Any, which: str, tmp_path: Any
) -> None:
    cache = servers.start_redis(tmp_path / "cache", evicts=True)
    stack.environment["CACHE_REDIS_URL"] = cache.url
    victim = redis_kept if which == "redis" else cache
    stack.start()
    stack.start_nginx()
    try:
        with buyers(stack, patient=True) as crowd:
            crowd.wait_for(3)
            victim.kill()
            crowd.wait_for(3)
            victim.start()
            crowd.wait_for(3)
        assert said(crowd) <= {"503", "409"}
        if which == "cache":
            assert crowd.failures == []
        nothing_lost(stack, crowd, stripe_world)
    finally:
        cache.stop()


@pytest.mark.at_length("the killed worker's control")
def test_control_without_the_sweep_what_redis_lost_stays_undone(
    stack: Stack, redis_kept: Any
) -> None:
    stack.environment["FAULT_NO_BEAT"] = "outbox,stripe-poll,stripe-reconcile"
    stack.start(["web-1", "web-2"])
    stack.start_nginx()
    with buyers(stack, patient=True) as crowd:
        crowd.wait_for(2)
        redis_kept.kill()
        crowd.wait_for(2)
    redis_kept.start()
    stack.start(["worker", "beat"])
    with pytest.raises(AssertionError):
        all_are_paid(stack, crowd.orders, seconds=30)


def test_while_no_replica_answers_a_client_is_told_to_come_again(stack: Stack) -> None:
    stack.start(["web-1", "web-2"])
    stack.start_nginx()
    for name in stack.web:
        stack.lose(name)
    answer = httpx.get(stack.url + "/api/v1/products/", trust_env=False)
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "2"
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "unavailable"
    assert answer.headers["X-Request-ID"]
    stack.heal()
    for name in stack.web:
        stack.wait_ready(name)
    ready = stack.url + "/readyz"
    wait_until(lambda: httpx.get(ready, trust_env=False).status_code == 200, seconds=60)


@pytest.mark.at_length("test_tasks_repeat.py: each task twice, also at once")
def test_a_second_beat_does_no_harm(stack: Stack, stripe_world: StripeSandbox) -> None:
    first = stack.processes["beat"]
    again = [word + "-second" if "--schedule" in word else word for word in first.argv]
    second = type(first)("beat-2", again, first.environment, first.folder)
    stack.processes["beat-2"] = second
    stack.start()
    stack.start_nginx()
    with buyers(stack) as crowd:
        crowd.wait_for(10)
        time.sleep(20)
    nothing_lost(stack, crowd, stripe_world)
    assert Payment.objects.filter(status="succeeded").count() == len(crowd.orders)
    assert Order.objects.filter(status="paid").count() == len(crowd.orders)

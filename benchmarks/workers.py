"""How much one worker of two processes gets done, beside a task that does nothing.

TASKS of each kind wait in the queue when the worker starts; measured from its first to its last.
"""

import os
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Any, Final

from benchmarks import report
from benchmarks.shape import Shape, cpu, end, say, shape

ROUNDS: Final = int(os.environ.get("ROUNDS") or 3)
PATIENCE: Final = 300
WORKER: Final = (
    "-m celery --app=config worker --include=benchmarks.shop.tasks --concurrency=2 "
    "--queues=payments,webhooks,mail,background --without-mingle --without-gossip"
)
NOTHING, EVENTS, PAYMENTS = "a task that does nothing", "an event of Stripe", "a card payment"


@dataclass(frozen=True)
class Kind:
    """How many, what puts them into the queue, and how many are done."""

    tasks: int
    queue: Callable[[int], None]
    done: Callable[[], int]


def run() -> list[str]:
    with shape() as served:
        served.start_web()
        kinds, found = _kinds(served), {}
        for number in range(ROUNDS):
            for name, kind in kinds.items():
                one = _drained(served, kind)
                found.setdefault(name, []).append(one)
                say(f"round {number + 1} of {ROUNDS}: {name}: {one}")
        facts = {"rounds": ROUNDS, **served.versions, **report.machine()}
        wrong = served.breaches()
    lines = _page(found, facts, wrong)
    print("\n".join(lines), flush=True)
    report.keep("workers", lines, {"about": facts, "wrong": wrong, "rounds": found})
    return wrong


def _kinds(served: Shape) -> dict[str, Kind]:
    import redis

    from benchmarks.shop import world
    from benchmarks.shop.tasks import COUNTER, nothing
    from payments.intake.models import Payment
    from payments.stripe.models import WebhookEvent

    world.products(20)
    world.stocked(["thing-0"], 1_000_000)
    numbers, tokens = count(), world.customers(64)
    counter = redis.Redis.from_url(served.redis.url)

    def nothings(tasks: int) -> None:
        for _ in range(tasks):
            nothing.apply_async(queue="payments")

    return {
        NOTHING: Kind(2_000, nothings, lambda: int(counter.get(COUNTER) or 0)),
        EVENTS: Kind(
            1_000,
            lambda tasks: _send_events(served, numbers, tasks),
            lambda: WebhookEvent.objects.exclude(state="received").count(),
        ),
        PAYMENTS: Kind(
            300,
            lambda tasks: _pay_by_card(served, tokens, tasks),
            lambda: Payment.objects.filter(method="stripe", status="succeeded").count(),
        ),
    }


def _send_events(served: Shape, numbers: Any, tasks: int) -> None:
    from benchmarks.scenarios.orders import webhook

    _call(served, [(webhook(next(numbers)), 200) for _ in range(tasks)])


def _pay_by_card(served: Shape, tokens: list[str], tasks: int) -> None:
    """Orders whose cards Stripe has been given: what is left is to ask it how they went."""
    import httpx

    body = {"lines": [{"product": "thing-0", "quantity": 1}], "payment": {"method": "stripe"}}
    url = f"http://127.0.0.1:{served.port}/api/v1"
    with httpx.Client(trust_env=False, timeout=60) as client:
        for number in range(tasks):
            client.headers["Authorization"] = f"Bearer {tokens[number % len(tokens)]}"
            order = client.post(f"{url}/orders/", json=body).raise_for_status().json()
            path = f"{url}/payments/{order['payment']['id']}/confirm/"
            client.post(path, json={"payment_method": "pm_card_visa"}).raise_for_status()


def _call(served: Shape, requests: list[tuple[str, int]]) -> None:
    import socket

    from benchmarks.buyers import answer

    with socket.create_connection(("127.0.0.1", served.port)) as link:
        for text, wanted in requests:
            link.sendall(text.encode())
            status = int(answer(link)[9:12])
            if status != wanted:
                raise RuntimeError(f"{status} instead of {wanted}")


def _drained(served: Shape, kind: Kind) -> dict[str, float]:
    before = kind.done()
    kind.queue(kind.tasks)
    worker = served.start("worker", [sys.executable, *WORKER.split()])
    try:
        first = _until(kind.done, before + 1)
        began, spent = time.monotonic(), _spent(served, worker.pid)
        _until(kind.done, before + kind.tasks)
        took = time.monotonic() - began
        each = {name: ms - spent[name] for name, ms in _spent(served, worker.pid).items()}
    finally:
        end(worker)
    tasks = before + kind.tasks - first
    costs = {f"{name}_cpu_ms": round(ms / tasks, 2) for name, ms in each.items()}
    return {"tasks": tasks, "per_second": round(tasks / took, 1), **costs}


def _until(done: Callable[[], int], wanted: int) -> int:
    began = time.monotonic()
    while (found := done()) < wanted:
        if time.monotonic() - began > PATIENCE:
            raise RuntimeError(f"{found} of {wanted} done")
        time.sleep(0.02)
    return found


def _spent(served: Shape, worker: int) -> dict[str, float]:
    pids = {"worker": worker, "mysqld": served.mysql.pid, "redis": served.redis.pid}
    return {name: cpu(pid) for name, pid in pids.items()}


def _page(found: dict[str, list[dict[str, float]]], facts: Any, wrong: list[str]) -> list[str]:
    names = ("per_second", "worker_cpu_ms", "mysqld_cpu_ms", "redis_cpu_ms")
    rows = [
        f"| {kind} | " + " | ".join(f"{_median(each, name):g}" for name in names) + " |"
        for kind, each in found.items()
    ]
    return [
        *report.heading("workers", __doc__, facts),
        "| kind | tasks a second | worker's CPU-ms | mysqld's | redis's |",
        "| --- | --- | --- | --- | --- |",
        *rows,
        "",
        *(f"NOT EXACT: {each}" for each in wrong),
    ]


def _median(each: list[dict[str, float]], name: str) -> float:
    return statistics.median(one[name] for one in each)

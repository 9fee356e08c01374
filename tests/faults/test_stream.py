"""Thousands listen to a stream process of its own while a run's units sell."""

import itertools
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.conf import settings
from django.db import connections
from redis import Redis

from payments.checkout import services as checkout
from payments.stripe.port import StripeGateway
from shop.flash_sales import services as sales
from shop.flash_sales.live import store
from shop.flash_sales.live.publisher import publisher
from shop.flash_sales.live.rules import Figures
from shop.flash_sales.live.store import Begun, RedisBoard
from shop.flash_sales.models import FlashRun, FlashSale
from shop.flash_sales.selectors import unit_counts
from shop.flash_sales.services import Chosen, many
from shop.flash_sales.waiting import services as waiting
from tests.factories.flash import live_run
from tests.factories.users import UserFactory
from tests.faults.processes import ROOT, Shop, wait_until
from tests.sizes import LOOSE, sized

pytestmark = pytest.mark.django_db(transaction=True)

LISTENERS, UNITS = sized(60, 2_000), sized(60, 1_000)
# `make bench-stream` prints it.
MOST_DELAY_SECONDS = 2.0 * LOOSE
# Units a second; 0: as fast as they go, when sellers and MySQL take the processors from the stream.
PACE = float(os.environ.get("PACE") or 0)


@pytest.fixture
def shop(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """On the Redis of this process, which is one of the shop's: it sells as a web process would."""
    monkeypatch.setattr(StripeGateway, "open", lambda self, payment_id: None)
    shop.environment["REDIS_URL"] = str(settings.CACHES["default"]["LOCATION"])
    shop.environment["STREAM_MAX_PER_ADDRESS"] = "5000"
    return shop


class Audience:
    """Listeners in a process of their own."""

    def __init__(self, port: int, slug: str, count: int) -> None:
        words = [sys.executable, "-m", "tests.faults.listeners", str(port), slug, str(count)]
        self.process = subprocess.Popen(
            words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._line() == "listening\n"

    def _line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def told(self, seconds: float) -> dict[str, Any]:
        """What they saw, when all have seen the end, or so many seconds from now."""
        timer = threading.Timer(seconds, self.process.stdin.close)  # type: ignore[union-attr]
        timer.start()
        found: dict[str, Any] = json.loads(self._line())
        timer.cancel()
        return found


@pytest.fixture
def audience(shop: Shop) -> Iterator[Callable[[FlashRun], Audience]]:
    made: list[Audience] = []

    def listen(run: FlashRun, count: int = LISTENERS) -> Audience:
        made.append(Audience(shop.stream_port, run.sale.slug, count))
        return made[-1]

    yield listen
    for each in made:
        each.process.kill()
        each.process.communicate()


@pytest.fixture
def commits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """For each unit the moment at which this process learned that its group was committed."""
    found: list[float] = []
    mark, write, group = publisher.mark, many.units_write, threading.local()

    def written(*, chosen: Sequence[tuple[int, Chosen]], **how: Any) -> None:
        group.units = sum(len(one.keys) for _, one in chosen)
        write(chosen=chosen, **how)

    def marked(run_id: int) -> None:
        found.extend([time.time()] * getattr(group, "units", 0))
        mark(run_id)

    monkeypatch.setattr(sales, "units_write", written)
    monkeypatch.setattr(publisher, "mark", marked)
    return found


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """When this process had published, and how many units were gone then."""
    found: list[dict[str, Any]] = []
    finish = RedisBoard.finish

    def finished(self: RedisBoard, slug: str, begun: Begun, figures: Figures) -> bool:
        done, counts = finish(self, slug, begun, figures), figures.runs[0].counts
        gone = counts.allocation - counts.free
        found.append({"id": begun.version, "sold": gone, "came": [time.time()]})
        return done

    monkeypatch.setattr(RedisBoard, "finish", finished)
    return found


def sell(run: FlashRun, people: list[int]) -> None:
    """One unit each, eight buyers at a time; not before their turn where there is a pace."""
    started, turn = time.monotonic(), itertools.count()

    def one(user_id: int) -> None:
        if PACE:
            time.sleep(max(0.0, started + next(turn) / PACE - time.monotonic()))
        checkout.flash_purchase(user_id=user_id, slug=run.sale.slug, quantity=1, method="stripe")

    def part(users: list[int]) -> None:
        try:
            for user_id in users:
                one(user_id)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(part, [people[start::8] for start in range(8)]))


def delays(commits: list[float], events: list[dict[str, Any]]) -> list[float]:
    """For each commit and listener: until an event came that counts it; the n-th sale is unit n."""
    found, counted = [], 0
    for event in sorted(events, key=lambda e: e["id"]):
        for moment in commits[counted : event["sold"]]:
            found += [came - moment for came in event["came"]]
        counted = max(counted, event["sold"])
    return sorted(found)


def words(delays: list[float]) -> str:
    at = {"p50": len(delays) // 2, "p99": len(delays) * 99 // 100, "at most": -1}
    soon = sum(delay <= 0.2 for delay in delays) / len(delays)
    found = ", ".join(f"{delays[index] * 1000:.0f} ms {name}" for name, index in at.items())
    return f"{found}, {soon:.1%} within 200 ms"


def children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(n for child in found for n in children(int(child)))]


def megabytes(pids: list[int]) -> float:
    """Memory of its own that each process has now."""
    texts = [Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in pids]
    lines = [line for text in texts for line in text.splitlines() if line.startswith("Pss:")]
    return sum(int(line.split()[1]) for line in lines) / 1024


def cpu_seconds(pids: list[int]) -> float:
    ticks = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in pids]
    return sum(int(t[11]) + int(t[12]) for t in ticks) / os.sysconf("SC_CLK_TCK")


@pytest.mark.proof(
    "Live stock: each listener sees the remaining end at 0, and never a stale value",
    size=f"{LISTENERS} listeners, {UNITS} units",
    control="tests/races/test_live_stock.py::test_control_without_versions_the_slow_count_wins",
)
def test_every_listener_sees_the_last_unit_go_and_nothing_stale(
    shop: Shop,
    audience: Callable[[FlashRun], Audience],
    commits: list[float],
    published: list[dict[str, Any]],
    record_property: Callable[[str, object], None],
) -> None:
    run = live_run(units=UNITS)
    people = [UserFactory().pk for _ in range(UNITS)]
    shop.start_stream()
    listeners = audience(run)
    pids = children(shop.running["stream"].pid)
    spent, started = cpu_seconds(pids), time.monotonic()
    commits.clear()
    sell(run, people)
    sold = time.monotonic() - started
    told = listeners.told(20)
    spent = cpu_seconds(pids) - spent
    assert (told["stale"], told["done"]) == (0, LISTENERS)
    late, early = delays(commits, told["events"]), delays(commits, published)
    events = len(told["events"]) - 1
    shown = (
        f"{LISTENERS} listeners, {UNITS} units sold in {sold:.1f} s: {events} events each; "
        f"from commit to publication {words(early)}, to event {words(late)}; "
        f"stream process {megabytes(pids):.0f} MB, {spent:.2f} s of processor "
        f"({spent / max(events * LISTENERS, 1) * 1e6:.0f} µs an event)"
    )
    record_property("shown", shown)
    assert late[len(late) // 2] < MOST_DELAY_SECONDS, shown
    # Ten a second, and what was under way when it began and ended.
    assert events <= 10 * (sold + 1) + 2, shown


@pytest.fixture
def own_redis(shop: Shop, redis_server: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A Redis of this process and of the stream process, which may be killed."""
    shop.environment["REDIS_URL"] = redis_server.url
    client = Redis.from_url(redis_server.url, socket_timeout=1, socket_connect_timeout=1)
    monkeypatch.setattr(store, "get_redis_connection", lambda alias: client)
    return redis_server


def test_a_stream_outlives_redis_and_goes_on(shop: Shop, own_redis: Any) -> None:
    run, seen = live_run(units=9), []
    shop.start_stream()
    url = f"http://127.0.0.1:{shop.stream_port}/api/v1/flash-sales/{run.sale.slug}/stream/"

    def sell_one() -> None:
        sell(run, [UserFactory().pk])

    with httpx.stream("GET", url, timeout=20, trust_env=False) as stream:
        lines = stream.iter_lines()
        for change in (None, own_redis.kill, None, own_redis.restart, None):
            if change is not None:
                change()
            sell_one()
            while not seen or seen[-1]["remaining"] != remaining(run):
                line = next(lines)
                seen += [json.loads(line[6:])] if line.startswith("data: ") else []
    left = [event["remaining"] for event in seen]
    assert left == sorted(left, reverse=True)
    assert left[-1] == 4


def remaining(run: FlashRun) -> int:
    return unit_counts([run.pk])[run.pk].free


def test_sigterm_ends_the_streams_and_then_the_process(
    shop: Shop, audience: Callable[..., Audience]
) -> None:
    run = live_run(units=1)
    shop.start_stream()
    audience(run, 5)
    process = shop.running["stream"]
    process.terminate()
    # Without an end of its streams the server would wait for them until it kills its worker.
    wait_until(
        lambda: process.poll() is not None, seconds=8 * LOOSE, why=lambda: shop.log("stream")
    )
    assert process.returncode == 0
    assert "refused to gracefully stop" not in shop.log("stream")


def test_what_the_stream_process_refuses_is_a_problem_document(shop: Shop) -> None:
    run = live_run(units=1)
    shop.start_stream(STREAM_MAX_PER_ADDRESS="1", CORS_ALLOWED_ORIGINS="https://shop.example.com")
    with httpx.Client(base_url=f"http://127.0.0.1:{shop.stream_port}", trust_env=False) as client:
        sale = f"/api/v1/flash-sales/{run.sale.slug}"
        answers = [
            client.get("/api/v1/flash-sales/no-such/stream/"),
            client.get(f"{sale}/stock/"),
            client.post(f"{sale}/stream/"),
            client.get(f"{sale}/stream/?events=0"),
            client.get(f"{sale}/stream/?evnts=1"),
        ]
        told = [(a.status_code, a.json()["code"]) for a in answers]
        assert told == [
            (404, "not_found"), (404, "not_found"), (405, "method_not_allowed"),
            (400, "min_value"), (400, "unknown_parameter"),
        ]  # fmt: skip
        origin = {"Origin": "https://shop.example.com"}
        with client.stream("GET", f"{sale}/stream/", headers=origin) as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            assert stream.headers["access-control-allow-origin"] == origin["Origin"]
            assert stream.headers["x-accel-buffering"] == "no"
            # Kept: the stream is closed with the iterator.
            lines = stream.iter_lines()
            assert next(lines) == "retry: 2000"
            full = client.get(f"{sale}/stream/")
            assert (full.status_code, full.json()["code"]) == (503, "busy")
            assert full.headers["retry-after"] == "30"
        wait_until(lambda: client.get("/livez").json()["listeners"] == 0, seconds=10 * LOOSE)
        once = client.get(f"{sale}/stream/?events=1")
        assert once.text.count("event: stock") == 1


def test_a_ticket_makes_its_place_an_event_as_well(shop: Shop) -> None:
    run = live_run(units=1)
    FlashSale.objects.filter(pk=run.sale_id).update(admission_rate=2)
    for user in range(1, 5):
        place = waiting.place_take(slug=run.sale.slug, user_id=user)
    shop.start_stream()
    url = f"http://127.0.0.1:{shop.stream_port}/api/v1/flash-sales/{run.sale.slug}/stream/"
    places: list[dict[str, Any]] = []
    query = {"ticket": str(place.ticket)}
    with httpx.stream("GET", url, params=query, timeout=20, trust_env=False) as stream:
        event = ""
        for line in stream.iter_lines():
            event = line[7:] if line.startswith("event: ") else event
            if event == "position" and line.startswith("data: "):
                places.append(json.loads(line[6:]))
                if places[-1]["status"] == "admitted":
                    break
    positions = [p["position"] for p in places]
    assert positions == sorted(positions, reverse=True)
    assert positions[-1] == 0

"""Published figures: the last one is the true one, and none is followed by an older one."""

import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core.cache import cache
from django.db import connections
from django_redis import get_redis_connection
from redis.exceptions import ConnectionError
from rest_framework.test import APIClient

from common import clock
from payments.checkout import services as checkout
from shop.flash_sales import services as sales
from shop.flash_sales.live import publisher as publishers
from shop.flash_sales.live import services, store
from shop.flash_sales.live.publisher import Publisher, publisher
from shop.flash_sales.live.selectors import figures_count
from shop.flash_sales.live.store import LocalBoard, RedisBoard
from shop.flash_sales.models import FlashRun
from tests.factories.flash import buy, live_run, planned_run
from tests.races.parallel import in_parallel

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_stripe")]


@pytest.fixture(params=[RedisBoard, LocalBoard])
def board(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Of several processes, and of one."""
    made = request.param()
    monkeypatch.setattr(services, "board", lambda: made)
    return made


@pytest.fixture
def by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is published but what a test publishes."""
    monkeypatch.setattr(Publisher, "mark", lambda self, run_id: None)


@pytest.fixture(autouse=True)
def _all_said() -> Iterator[None]:
    yield
    assert publisher.flush(60)


def held(run: FlashRun) -> int:
    return services.stock_now(run.sale.slug).held


def slow_and_quick(board: Any, run: FlashRun) -> None:
    """Somebody counts, a unit is bought, somebody else counts and is the first to publish."""
    slug = run.sale.slug
    slow, before = board.begin(slug), figures_count(slug)
    buy(run)
    board.finish(slug, board.begin(slug), figures_count(slug))
    board.finish(slug, slow, before)


@pytest.mark.usefixtures("by_hand")
def test_a_slow_count_never_replaces_a_newer_one(board: Any) -> None:
    run = live_run(units=3)
    slow_and_quick(board, run)
    assert held(run) == 1


@pytest.mark.usefixtures("by_hand")
def test_control_without_versions_the_slow_count_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    guard = "if tonumber(ARGV[1]) <= newest then return 0 end\n"
    assert guard in store.FINISH
    monkeypatch.setattr(store, "FINISH", store.FINISH.replace(guard, ""))
    run = live_run(units=3)
    slow_and_quick(RedisBoard(), run)
    assert held(run) == 0


@pytest.mark.usefixtures("by_hand")
def test_a_version_is_taken_before_the_count_and_each_is_above_the_last(board: Any) -> None:
    run = live_run(units=3)
    slug = run.sale.slug
    versions = [board.begin(slug).version for _ in range(3)]
    cache.clear()
    versions.append(board.begin(slug).version)
    assert versions == sorted(set(versions))


def busy(board: Any, run: FlashRun) -> None:
    """Another process has begun to count, before a unit is bought."""
    slug = run.sale.slug
    other = board.begin(slug)
    before = figures_count(slug)
    buy(run)
    time.sleep(0.05)
    board.finish(slug, other, before)


def test_who_cannot_publish_now_does_so_later(board: Any) -> None:
    run = live_run(units=3)
    assert publisher.flush(60)
    time.sleep(store.GAP_SECONDS)
    busy(board, run)
    assert publisher.flush(60)
    assert board.fetch(run.sale.slug).figures.runs[0].counts.held == 1


def test_control_who_leaves_it_to_others_leaves_the_last_change_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ask = Publisher._ask
    monkeypatch.setattr(
        Publisher, "_ask", lambda self, run_id, since: ask(self, run_id, since) and None
    )
    board, run = RedisBoard(), live_run(units=3)
    assert publisher.flush(60)
    time.sleep(store.GAP_SECONDS)
    busy(board, run)
    assert publisher.flush(60)
    found = board.fetch(run.sale.slug)
    assert found is not None
    assert found.figures.runs[0].counts.held == 0


def test_what_another_process_has_counted_since_is_not_counted_again(board: Any) -> None:
    slug = live_run(units=3).sale.slug
    assert publisher.flush(60)
    asked = board.begin(slug)
    board.finish(slug, board.begin(slug), figures_count(slug))
    assert board.begin(slug, since=asked.version).done
    assert not board.begin(slug, since=board.begin(slug).version).done


def test_a_rush_is_published_ten_times_a_second_and_never_backwards(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run, seen, over = live_run(units=30), [], threading.Event()
    assert publisher.flush(60)
    finished: list[float] = []
    finish = RedisBoard.finish

    def noted(self: RedisBoard, *args: Any) -> bool:
        finished.append(time.monotonic())
        return finish(self, *args)

    monkeypatch.setattr(RedisBoard, "finish", noted)

    def poll() -> None:
        while not over.is_set():
            seen.append(held(run))
            time.sleep(0.005)
        connections.close_all()

    poller = threading.Thread(target=poll)
    poller.start()
    started = time.monotonic()
    for _ in range(3):
        in_parallel([lambda: buy(run)] * 10)
    assert publisher.flush(60)
    took = time.monotonic() - started
    over.set()
    poller.join()
    assert seen == sorted(seen)
    assert held(run) == 30
    assert len(finished) <= took / store.GAP_SECONDS + 2


def test_a_poll_asks_redis_alone(django_assert_num_queries: Any) -> None:
    run = live_run(units=3)
    assert publisher.flush(60)
    services.figures_publish(run.sale.slug)
    visitor = APIClient()
    with django_assert_num_queries(0):
        answer = visitor.get(f"/api/v1/flash-sales/{run.sale.slug}/stock/")
    assert answer.json()["remaining"] == 3


def test_every_change_of_a_run_is_published(board: Any) -> None:
    run = planned_run(units=3)
    seen = []

    def look() -> None:
        assert publisher.flush(60)
        counts = board.fetch(run.sale.slug).figures.runs[0]
        seen.append((counts.counts.free, counts.counts.held, counts.ended_at is not None))

    look()
    FlashRun.objects.filter(pk=run.pk).update(starts_at=clock.now() - timedelta(minutes=1))
    order = buy(run).placed.order
    look()
    checkout.order_cancel(order_id=order.pk, actor_id=order.user_id)
    look()
    sales.run_end(run_id=run.pk, reason=FlashRun.End.STAFF)
    look()
    assert seen == [(3, 0, False), (2, 1, False), (3, 0, False), (0, 0, True)]


def test_a_redis_that_has_lost_all_is_filled_from_mysql() -> None:
    run = live_run(units=3)
    buy(run)
    assert publisher.flush(60)
    before = RedisBoard().fetch(run.sale.slug)
    cache.clear()
    assert held(run) == 1
    after = RedisBoard().fetch(run.sale.slug)
    assert before is not None
    assert after is not None
    assert after.version > before.version


def test_an_old_copy_of_redis_is_put_right_by_the_sweep() -> None:
    run = live_run(units=3)
    assert publisher.flush(60)
    services.figures_publish(run.sale.slug)
    redis, key = get_redis_connection("default"), RedisBoard._key(run.sale.slug, "live")
    copy = redis.dump(key)
    buy(run)
    assert publisher.flush(60)
    redis.restore(key, 60_000, copy, replace=True)
    assert held(run) == 0
    time.sleep(store.GAP_SECONDS)
    sales.runs_sweep()
    assert held(run) == 1


def test_a_sale_that_cannot_be_counted_keeps_no_other_from_being_published(
    board: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, sound = live_run(units=3), live_run(units=3)
    publish, thread = services.figures_publish, threading.Event()

    def fails_for_one(slug: str, *, since: int) -> Any:
        if slug == broken.sale.slug:
            thread.set()
            raise KeyError(slug)
        return publish(slug, since=since)

    monkeypatch.setattr(publishers.services, "figures_publish", fails_for_one)
    publisher.mark(broken.pk)
    assert thread.wait(60)
    alive = publisher._thread
    buy(sound)
    assert publisher.flush(60)
    assert publisher._thread is alive
    assert held(sound) == 1


def away(self: RedisBoard) -> Any:
    raise ConnectionError


def test_without_redis_the_database_answers_and_what_changed_is_published_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = live_run(units=3)
    assert publisher.flush(60)
    monkeypatch.setattr(publishers, "RETRY_SECONDS", 0.05)
    with monkeypatch.context() as patch:
        patch.setattr(RedisBoard, "_redis", property(away))
        buy(run)
        assert held(run) == 1
        assert services.figures_confirm() == 0
        assert not publisher.flush(0.3)
    assert publisher.flush(60)
    found = RedisBoard().fetch(run.sale.slug)
    assert found is not None
    assert found.figures.runs[0].counts.held == 1


@pytest.mark.parametrize("seconds", [-90, 90])
def test_the_databases_clock_decides_what_a_run_is(seconds: int) -> None:
    """The host's may be wrong: run one starts in a minute, run two has a minute left."""
    coming = planned_run(units=1)
    live = live_run(units=1, ends=True)
    FlashRun.objects.filter(pk=coming.pk).update(starts_at=clock.now() + timedelta(minutes=1))
    FlashRun.objects.filter(pk=live.pk).update(ends_at=clock.now() + timedelta(minutes=1))
    assert publisher.flush(60)
    time.sleep(store.GAP_SECONDS)
    for run in (coming, live):
        services.figures_publish(run.sale.slug)
    with time_machine.travel(clock.now() + timedelta(seconds=seconds)):
        found = [services.stock_now(run.sale.slug).status for run in (coming, live)]
    assert found == ["scheduled", "live"]

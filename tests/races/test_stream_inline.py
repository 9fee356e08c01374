"""Streams out of a WSGI server's threads, as `make run` serves them."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from shop.flash_sales.live import inline
from shop.flash_sales.live.publisher import publisher
from shop.flash_sales.models import FlashRun
from tests.factories.flash import buy, live_run
from tests.faults.processes import wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_stripe")]


@pytest.fixture(autouse=True)
def loop(monkeypatch: pytest.MonkeyPatch) -> Iterator[inline.Loop]:
    """With no listener of another test."""
    made = inline.Loop()
    monkeypatch.setattr(inline, "loop", made)
    yield made
    made.close()
    assert publisher.flush(5)
    made.run(_end_of_tasks(), 5)


async def _end_of_tasks() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def listen(run: FlashRun, **query: Any) -> Any:
    return Client().get(f"/api/v1/flash-sales/{run.sale.slug}/stream/", query)


def test_a_stream_tells_the_stock_as_it_is_and_as_it_becomes() -> None:
    run = live_run(units=3)
    answer = listen(run, events=2)
    assert (answer.status_code, answer["Content-Type"]) == (200, "text/event-stream")
    heard = iter(answer.streaming_content)
    assert next(heard).startswith(b"retry:")
    assert b'"remaining":3' in next(heard)
    buy(run)
    rest = b"".join(heard)
    assert rest.count(b"event: stock") == 1
    assert b'"remaining":2' in rest


def test_as_many_listen_as_there_are_threads_and_who_leaves_makes_room(
    loop: inline.Loop, settings: Any
) -> None:
    settings.STREAM_INLINE = 2
    run = live_run(units=3)
    first, second = listen(run), listen(run)
    for answer in (first, second):
        assert next(iter(answer.streaming_content)).startswith(b"retry:")
    refused = listen(run)
    assert (refused.status_code, refused["Retry-After"]) == (503, "5")
    first.close()
    wait_until(lambda: loop.listeners == 1, seconds=5)
    assert listen(run, events=1).status_code == 200
    second.close()


def test_control_a_stream_that_nobody_closes_keeps_its_place(
    loop: inline.Loop, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inline.Events, "close", lambda self: None)
    settings.STREAM_INLINE = 1
    run = live_run(units=3)
    first = listen(run)
    next(iter(first.streaming_content))
    first.close()
    assert loop.listeners == 1
    assert listen(run).status_code == 503


def test_the_end_of_the_server_ends_every_stream(loop: inline.Loop) -> None:
    heard = iter(listen(live_run(units=3)).streaming_content)
    next(heard)
    loop.close()
    assert b"".join(heard).count(b"event: stock") <= 1

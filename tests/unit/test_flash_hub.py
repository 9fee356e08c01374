"""Listeners of one process, on a board that a test fills."""

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from common.errors import Busy
from shop.flash_sales.errors import NoSuchRun
from shop.flash_sales.live import hub as hubs
from shop.flash_sales.live import services
from shop.flash_sales.live.hub import HEARTBEAT, Hub, Listener
from shop.flash_sales.live.rules import Figures, RunFigures
from shop.flash_sales.live.store import Published
from shop.flash_sales.rules import Counts
from shop.flash_sales.waiting.rules import Place, PlaceStatus, Ticket

NOW = datetime(2030, 1, 31, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def published(version: int, sold: int = 0, **how: Any) -> Published:
    counts = Counts(10 - sold, 0, sold, 0)
    run = replace(RunFigures(1, 10, NOW - MINUTE, None, None, counts), **how)
    return Published(version, Figures(NOW, (run,)), NOW)


class World:
    """What the board has now, and a hub whose news are given by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.board = published(100)
        self.reads = 0
        monkeypatch.setattr(services, "figures_now", self._read)
        monkeypatch.setattr(hubs, "close_old_connections", lambda: None)
        monkeypatch.setattr(hubs, "board", lambda: self)

    def _read(self, slug: str) -> Published:
        self.reads += 1
        return self.board

    async def news(self) -> AsyncGenerator[tuple[str, Published], None]:
        await asyncio.Event().wait()
        yield "lamp", self.board

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run(work)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


def started(**limits: int) -> Hub:
    hub = Hub(**{"most": 10, "most_of_one": 10, **limits})
    hub.start()
    return hub


async def joined(hub: Hub, address: str = "a", **how: Any) -> Listener:
    return await hub.join("lamp", address=address, **how)


async def soon(listener: Listener) -> bytes | None:
    return await asyncio.wait_for(listener.next(), 1)


def test_the_figure_comes_at_once_and_then_each_change(world: World) -> None:
    async def work() -> None:
        hub = started()
        listener = await joined(hub)
        first = await soon(listener)
        listener.channel.accept(published(200, sold=1))
        second = await soon(listener)
        assert first is not None
        assert second is not None
        assert first.startswith(b'id: 100\nevent: stock\ndata: {"run":1,"status":"live"')
        assert second.startswith(b"id: 200\n")
        assert b'"remaining":9,"held":0,"sold":1' in second
        hub.close()

    world.run(work())


def test_an_older_figure_never_follows_a_newer_one(world: World) -> None:
    async def work() -> None:
        hub = started()
        listener = await joined(hub)
        listener.channel.accept(published(200, sold=2))
        listener.channel.accept(published(150, sold=1))
        assert b'"sold":2' in (await soon(listener) or b"")
        assert listener.channel.id == 200
        hub.close()

    world.run(work())


def test_control_without_versions_a_stale_figure_is_sent_last(world: World) -> None:
    async def work() -> None:
        hub = started()
        listener = await joined(hub)
        for each in (published(200, sold=2), published(150, sold=1)):
            listener.channel.published = each
            listener.channel.show()
        assert b'"sold":1' in (await soon(listener) or b"")
        hub.close()

    world.run(work())


def test_a_slow_listener_gets_the_newest_alone(world: World) -> None:
    async def work() -> None:
        hub = started()
        listener = await joined(hub)
        for number in range(1, 9):
            listener.channel.accept(published(200 + number, sold=number))
        assert b'"sold":8' in (await soon(listener) or b"")
        listener.channel.beat()
        assert await soon(listener) == HEARTBEAT
        hub.close()

    world.run(work())


def test_what_was_seen_before_a_lost_connection_is_not_sent_again(world: World) -> None:
    async def work() -> None:
        hub = started()
        assert await soon(await joined(hub, last_id=100)) == HEARTBEAT
        assert b'"sold":0' in (await soon(await joined(hub, last_id=50)) or b"")
        hub.close()

    world.run(work())


def test_who_knows_more_than_this_process_makes_it_look(world: World) -> None:
    async def work() -> None:
        hub = started()
        await joined(hub)
        world.board = published(300, sold=3)
        assert await soon(await joined(hub, last_id=300)) == HEARTBEAT
        assert b'"sold":3' in (await soon(await joined(hub, last_id=200)) or b"")
        assert world.reads == 2
        hub.close()

    world.run(work())


def test_a_start_by_the_clock_is_an_event_with_an_id_of_its_own(world: World) -> None:
    async def work() -> None:
        world.board = published(100, starts_at=NOW + timedelta(milliseconds=80))
        hub = started()
        listener = await joined(hub)
        assert b'"status":"scheduled"' in (await soon(listener) or b"")
        opened = await soon(listener) or b""
        assert opened.startswith(b"id: 101\n")
        assert b'"status":"live"' in opened
        hub.close()

    world.run(work())


def test_a_stream_ends_after_as_many_events_as_were_asked_for(world: World) -> None:
    async def work() -> None:
        hub = started()
        listener = await joined(hub, most=1)
        assert b"event: stock" in (await soon(listener) or b"")
        assert await soon(listener) is None
        hub.close()

    world.run(work())


def test_too_many_are_refused_and_who_leaves_makes_room(world: World) -> None:
    async def work() -> None:
        hub = started(most=3, most_of_one=2)
        listeners = [await joined(hub), await joined(hub)]
        with pytest.raises(Busy):
            await joined(hub)
        await joined(hub, "b")
        with pytest.raises(Busy):
            await joined(hub, "c")
        for listener in (listeners[0], listeners[0]):
            hub.leave(listener)
        await joined(hub, "c")
        assert hub.listeners == 3
        hub.close()

    world.run(work())


def test_the_end_of_the_process_ends_every_stream(world: World) -> None:
    async def work() -> None:
        hub = started()
        listener = await joined(hub)
        hub.close()
        assert await soon(listener) is None
        with pytest.raises(Busy):
            await joined(hub)

    world.run(work())


def test_a_sale_without_runs_has_no_stream(world: World) -> None:
    async def work() -> None:
        world.board = Published(100, Figures(NOW, ()), NOW)
        hub = started()
        with pytest.raises(NoSuchRun):
            await joined(hub)
        hub.close()

    world.run(work())


def place(position: int) -> Place:
    return Place(1, PlaceStatus.WAITING if position else PlaceStatus.ADMITTED, position)


def test_who_has_a_ticket_is_told_each_place_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticket = Ticket(7, 1, 100, 3, 2, NOW)
    monkeypatch.setattr(hubs, "_shown", lambda slug, text: (ticket, place(2)))

    async def work() -> None:
        hub = started()
        listener = await joined(hub, ticket="signed")
        first = await soon(listener) or b""
        assert b"event: stock" in first
        assert b'event: position\ndata: {"run":1,"status":"waiting","position":2' in first
        assert listener.channel.tickets() == {7: [listener]}
        for each in (2, 2, 1, 0):
            listener.moves_to(place(each))
        assert b'"position":0' in (await soon(listener) or b"")
        hub.close()

    world.run(work())

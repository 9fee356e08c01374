"""Prices on their way to listeners, in a process whose cache a test fills."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from common.errors import Busy
from payments.market import selectors
from payments.market.live import hub as hubs
from payments.market.live.asgi import PRICES
from payments.market.live.hub import ALL, PriceHub
from payments.market.rules.prices import Price
from shop.flash_sales.live import hub as stock
from shop.flash_sales.live.asgi import STOCK, Streams

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def price(coin: str, value: str, minutes: int = 0) -> Price:
    return Price(coin, Decimal(value), NOON + timedelta(minutes=minutes), "simulated")


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> dict[str, Price]:
    """What the cache has."""
    found = {"bitcoin": price("bitcoin", "40000.50"), "ethereum": price("ethereum", "3500")}
    monkeypatch.setattr(selectors, "latest", lambda: dict(found))
    monkeypatch.setattr(stock, "close_old_connections", lambda: None)
    monkeypatch.setattr(hubs, "LOOK_SECONDS", 0.01)
    return found


def started(**limits: int) -> PriceHub:
    hub = PriceHub(**{"most": 10, "most_of_one": 10, **limits})
    hub.start()
    return hub


async def soon(listener: Any) -> str:
    found = await asyncio.wait_for(listener.next(), 2)
    return str(found.decode())


def test_all_prices_come_at_once_and_again_when_one_is_new(world: dict[str, Price]) -> None:
    async def work() -> None:
        hub = started()
        listener = await hub.join(ALL, address="a")
        first = await soon(listener)
        assert "event: price\n" in first
        assert '"coin":"bitcoin","price":"40000.5"' in first
        assert '"coin":"ethereum"' in first
        world["bitcoin"] = price("bitcoin", "41000", 15)
        second = await soon(listener)
        assert '"price":"41000"' in second
        ids = [int(text.split("\n")[0].removeprefix("id: ")) for text in (first, second)]
        assert ids[0] < ids[1]
        hub.close()

    asyncio.run(work())


def test_who_listens_to_one_coin_hears_of_no_other(world: dict[str, Price]) -> None:
    async def work() -> None:
        hub = started()
        listener = await hub.join("ethereum", address="a")
        assert "bitcoin" not in await soon(listener)
        world["bitcoin"] = price("bitcoin", "41000", 15)
        await asyncio.sleep(0.1)
        assert not listener.woken.is_set()
        world["ethereum"] = price("ethereum", "3600", 15)
        assert '"price":"3600"' in await soon(listener)
        hub.close()

    asyncio.run(work())


def test_an_event_that_was_seen_is_not_sent_again(world: dict[str, Price]) -> None:
    async def work() -> None:
        hub = started()
        first = await soon(await hub.join(ALL, address="a"))
        seen = int(first.split("\n")[0].removeprefix("id: "))
        again = await hub.join(ALL, address="a", last_id=seen)
        assert (await soon(again)).startswith(":")
        hub.close()

    asyncio.run(work())


def test_without_prices_the_stream_says_so(world: dict[str, Price]) -> None:
    async def work() -> None:
        world.clear()
        hub = started()
        assert '{"prices":[]}' in await soon(await hub.join(ALL, address="a"))
        hub.close()

    asyncio.run(work())


def test_too_many_listeners_are_refused(world: dict[str, Price]) -> None:
    async def work() -> None:
        hub = started(most=1)
        await hub.join(ALL, address="a")
        with pytest.raises(Busy):
            await hub.join(ALL, address="b")
        hub.close()

    asyncio.run(work())


async def called(path: str, query: bytes = b"") -> tuple[int, str]:
    """The status and first bytes of a request to the application of streams."""
    sent: list[Any] = []

    async def receive() -> Any:
        return await asyncio.Future()

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        **{"type": "http", "path": path, "method": "GET", "query_string": query},
        **{"headers": [], "client": ("192.0.2.1", 1)},
    }
    await asyncio.wait_for(Streams([STOCK, PRICES])(scope, receive, send), 5)
    body = b"".join(message.get("body", b"") for message in sent)
    return sent[0]["status"], body.decode()


def test_the_process_that_streams_has_prices_beside_stock(world: dict[str, Price]) -> None:
    async def work() -> None:
        status, body = await called("/api/v1/market/stream/", b"coin=btc&events=1")
        assert status == 200
        assert body.count("event: price") == 1
        assert "ethereum" not in body
        status, body = await called("/api/v1/market/stream/", b"coin=nonsense")
        assert (status, '"invalid_coin"' in body) == (400, True)
        assert (await called("/api/v1/market/other/"))[0] == 404

    asyncio.run(work())

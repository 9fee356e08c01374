"""Who listens to prices. Nothing is published: each process looks at the cache they are in.

New prices come every quarter of an hour; a look every two seconds costs less than a subscription.
"""

import asyncio
import contextlib
import json
from collections.abc import Mapping
from typing import Any, Final

from django.db import DatabaseError

from common.moments import moment_text
from payments.market import selectors
from payments.market.rules.prices import Price
from shop.flash_sales.live.hub import Channel, Hub
from shop.flash_sales.live.rules import micros

LOOK_SECONDS: Final = 2.0
# The channel of all coins; the others have a coin's id.
ALL: Final = ""


def channel(query: Mapping[str, Any]) -> str:
    """Whose channel a valid `StreamQuery` asks for."""
    return query["coin"].coin.id if "coin" in query else ALL


class PriceChannel(Channel):
    """The newest prices of all coins, or of one; ids are moments, so that all processes agree."""

    def __init__(self, name: str, prices: Mapping[str, Price]) -> None:
        self.slug, self.listeners = name, set()
        self.id, self.data, self.beats = 0, b"", 0
        self._timer = None
        self._said = ""
        self.tell(prices)

    def tell(self, prices: Mapping[str, Price]) -> None:
        found = [p for coin, p in sorted(prices.items()) if self.slug in (ALL, coin)]
        body = json.dumps({"prices": [_body(price) for price in found]}, separators=(",", ":"))
        if body == self._said:
            return
        self._said = body
        self.id = max(self.id + 1, *(micros(price.as_of) for price in found), 1)
        self.data = f"id: {self.id}\nevent: price\ndata: {body}\n\n".encode()
        self._wake()


def _body(price: Price) -> dict[str, Any]:
    return {
        "coin": price.coin,
        "price": format(price.price.normalize(), "f"),
        "change_24h": price.change_24h,
        "source": price.source,
        "as_of": moment_text(price.as_of),
    }


class PriceHub(Hub):
    """The same listeners and limits as for stock, on other channels."""

    def start(self) -> None:
        work = (self._look(), self._beat())
        self._tasks = [asyncio.create_task(each) for each in work]

    async def _load(self, slug: str) -> Channel:
        prices = await self._call(selectors.latest)
        return self._channels.setdefault(slug, PriceChannel(slug, prices))

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if self._channels:
                with contextlib.suppress(DatabaseError):
                    self._tell(await self._call(selectors.latest))

    def _tell(self, prices: Mapping[str, Price]) -> None:
        for channel in list(self._channels.values()):
            if isinstance(channel, PriceChannel):
                channel.tell(prices)

"""The same out of a WSGI server's threads: a few, beside those of the stock's streams."""

from functools import partial
from typing import Final

from django.conf import settings

from common.errors import Busy
from payments.market.live.hub import PriceHub
from shop.flash_sales.live import inline
from shop.flash_sales.live.hub import Listener

# Of settings.STREAM_INLINE: stock is what people wait for.
SHARE: Final = 4


class _Prices:
    """The hub on the loop that the stock's streams have started, from the first listener on."""

    def __init__(self) -> None:
        self.hub: PriceHub | None = None

    @property
    def most(self) -> int:
        return max(1, settings.STREAM_INLINE // SHARE)

    @property
    def listeners(self) -> int:
        return 0 if self.hub is None else self.hub.listeners

    async def join(
        self, name: str, address: str, last_id: int | None, most: int | None
    ) -> Listener:
        if self.hub is None:
            self.hub = PriceHub(most=self.most, most_of_one=self.most)
            self.hub.start()
        return await self.hub.join(name, address=address, last_id=last_id, most=most)

    async def leave(self, listener: Listener) -> None:
        if self.hub is not None:
            self.hub.leave(listener)


streams: Final = _Prices()


class Events(inline.Events):
    def close(self) -> None:
        if self._listener is not None:
            inline.loop.run(streams.leave(self._listener))


def events(name: str, *, address: str, last_id: int | None, most: int | None) -> Events:
    """Raises Busy."""
    if streams.listeners >= streams.most:
        raise Busy(retry_after=5)
    return Events(partial(streams.join, name, address, last_id, most))


def close() -> None:
    """End every stream; the threads that serve them are free then."""
    if streams.hub is not None:
        inline.loop.later(streams.hub.close)

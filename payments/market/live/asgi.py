"""Where the process that serves streams has those of prices."""

import re
from typing import Final

from payments.market.live.hub import PriceHub, channel
from payments.market.serializers import StreamQuery
from shop.flash_sales.live.asgi import Place

PRICES: Final = Place(
    path=re.compile(r"/api/v1/market/stream/"),
    route="/api/v1/market/stream/",
    query=StreamQuery,
    hub=PriceHub,
    channel=lambda _, query: channel(query),
)

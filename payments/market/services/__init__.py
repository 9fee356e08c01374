"""Write use cases of the market."""

from payments.market.services.history import histories_fill, market_forget
from payments.market.services.prices import (
    prices_refresh,
    prices_tick,
    trigger_send,
)
from payments.market.services.quotes import (
    Rate,
    price_for_checkout,
    quote_create,
    rate_for_checkout,
)

__all__ = [
    "Rate",
    "histories_fill",
    "market_forget",
    "price_for_checkout",
    "prices_refresh",
    "prices_tick",
    "quote_create",
    "rate_for_checkout",
    "trigger_send",
]

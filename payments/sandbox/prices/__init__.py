"""Stand-ins for CoinGecko's API v3 and CoinMarketCap's quotes, on one server. See `server.py`.

What they have and this has not: other endpoints, other currencies than USD, other plans' limits,
and a history of more than one shape. Prices are made up, the same for both.
"""

from payments.sandbox.prices.server import PriceSandbox

__all__ = ["PriceSandbox"]

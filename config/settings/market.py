"""Prices of coins: who is asked for them, how often, and which are believed."""

from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

env = environ.Env()

# Price providers, each asked for what the ones before it did not give: coingecko, coinmarketcap,
# simulated. By default those that have a key, and without any the simulated one.
COINGECKO_API_KEY = env.str("COINGECKO_API_KEY", default="")
COINGECKO_PRO = env.bool("COINGECKO_PRO", default=False)
COINGECKO_URL = (
    "https://pro-api.coingecko.com/api/v3" if COINGECKO_PRO else "https://api.coingecko.com/api/v3"
)
COINMARKETCAP_API_KEY = env.str("COINMARKETCAP_API_KEY", default="")
COINMARKETCAP_URL = "https://pro-api.coinmarketcap.com"
_KEYS = {"coingecko": COINGECKO_API_KEY, "coinmarketcap": COINMARKETCAP_API_KEY}
_KEYED = [name for name, key in _KEYS.items() if key]
# An empty value is what docker compose hands on where nothing is set.
MARKET_PROVIDERS: list[str] = env.list("MARKET_PROVIDERS", default=[]) or _KEYED or ["simulated"]
_UNKNOWN = {*MARKET_PROVIDERS} - {*_KEYS, "simulated"}
if _UNKNOWN:
    raise ImproperlyConfigured(f"MARKET_PROVIDERS has unknown names: {', '.join(sorted(_UNKNOWN))}")
# Calls a minute, credits a day and a month; 0 is no limit. A tenth is kept for checkouts.
MARKET_LIMITS: dict[str, dict[str, int]] = {
    "coingecko": {
        "minute": env.int("COINGECKO_PER_MINUTE", default=30),
        "day": env.int("COINGECKO_PER_DAY", default=0),
        "month": env.int("COINGECKO_PER_MONTH", default=10_000),
    },
    "coinmarketcap": {
        "minute": env.int("COINMARKETCAP_PER_MINUTE", default=30),
        "day": env.int("COINMARKETCAP_PER_DAY", default=333),
        "month": env.int("COINMARKETCAP_PER_MONTH", default=10_000),
    },
}
MARKET_TIMEOUT_SECONDS = env.float("MARKET_TIMEOUT_SECONDS", default=5.0)
MARKET_TICK_SECONDS = env.int("MARKET_TICK_SECONDS", default=15 * 60)
# What anybody asks for on the channel is done once in so long.
MARKET_TRIGGER_SECONDS = 60
# A rate older than this takes no money, one older than that is not even shown.
MARKET_CHECKOUT_SECONDS = env.int("MARKET_CHECKOUT_SECONDS", default=10 * 60)
MARKET_SHOW_SECONDS = 6 * 3600
MARKET_QUOTE_SECONDS = 15 * 60
# A price that differs by more than this factor from the last one is not believed, unless the last
# one is older than so long; the first one of a coin is held against what the coin list has.
MARKET_JUMP_FACTOR = env.float("MARKET_JUMP_FACTOR", default=3.0)
MARKET_JUMP_SECONDS = 24 * 3600
MARKET_FIRST_FACTOR = 50.0
MARKET_KEEP_DAYS = env.int("MARKET_KEEP_DAYS", default=90)
# What can be paid with, by symbol; `coin` is one of payments/market/rules/coins.py.
PAYABLE_TOKENS: dict[str, dict[str, Any]] = {
    "ETH": {"coin": "ethereum", "decimals": 18, "confirmations": 12},
    "USDC": {"coin": "usd-coin", "decimals": 6, "confirmations": 12},
}

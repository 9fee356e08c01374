"""The exchange, in every mode."""

import environ
from django.core.exceptions import ImproperlyConfigured

env = environ.Env()

# The venue's API; without one no orders are taken. Each mode says if the sandbox stands in for it.
EXCHANGE_VENUE_URL = env.str("EXCHANGE_VENUE_URL", default="").rstrip("/")
EXCHANGE_VENUE_KEY = env.str("EXCHANGE_VENUE_KEY", default="")
EXCHANGE_VENUE_TIMEOUT_SECONDS = env.float("EXCHANGE_VENUE_TIMEOUT_SECONDS", default=5.0)
if not 0 < EXCHANGE_VENUE_TIMEOUT_SECONDS <= 10:
    raise ImproperlyConfigured("EXCHANGE_VENUE_TIMEOUT_SECONDS is not between 0 and 10.")
# Symbols whose price is the market's and not the one on the coin's row.
EXCHANGE_FOLLOWS_MARKET: list[str] = env.list("EXCHANGE_FOLLOWS_MARKET", default=[])
EXCHANGE_ORDER_MAX_USD = env.int("EXCHANGE_ORDER_MAX_USD", default=10_000)
# How long an order waits for others of its coin, and what becomes of those that are too few.
EXCHANGE_POOL_SECONDS = env.int("EXCHANGE_POOL_SECONDS", default=3600)
EXCHANGE_SHORT_POLICY = env.str("EXCHANGE_SHORT_POLICY", default="give_back")
if EXCHANGE_SHORT_POLICY not in ("top_up", "give_back"):
    raise ImproperlyConfigured("EXCHANGE_SHORT_POLICY is neither top_up nor give_back.")

"""Stored prices, and the price providers' stand-ins over real HTTP."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from common import clock
from common.limits.store import local
from payments.market import selectors
from payments.market.models import CoinPrice
from payments.market.rules.prices import to_units
from payments.sandbox.prices import PriceSandbox


def priced(
    coin: str = "bitcoin",
    price: str = "40000",
    *,
    at: datetime | None = None,
    provider: str = "simulated",
) -> CoinPrice:
    """One more price, by default newer than the others; readers see it at once."""
    made = CoinPrice.objects.create(
        provider=provider, coin=coin, updated_at=at or _next(coin), price=to_units(Decimal(price))
    )
    selectors.latest_renew()
    return made


def _next(coin: str) -> datetime:
    newest = CoinPrice.objects.filter(coin=coin).order_by("-updated_at").first()
    now = clock.now()
    return now if newest is None else max(now, newest.updated_at + timedelta(seconds=1))


@pytest.fixture(scope="session")
def _prices() -> Iterator[PriceSandbox]:
    with PriceSandbox() as sandbox:
        yield sandbox


@pytest.fixture
def prices(_prices: PriceSandbox, settings: Any) -> Iterator[PriceSandbox]:
    """Both providers, CoinGecko first, CoinMarketCap with its key."""
    settings.MARKET_PROVIDERS = ["coingecko", "coinmarketcap"]
    settings.COINGECKO_URL = _prices.coingecko_url
    settings.COINMARKETCAP_URL = _prices.coinmarketcap_url
    settings.COINMARKETCAP_API_KEY = "sandbox"
    # Three other processes of the tests share the machine.
    settings.MARKET_TIMEOUT_SECONDS = 1.0
    _prices.clear()
    # Without Redis the calls of a minute are counted here, by all tests together.
    local.clear()
    yield _prices
    _prices.clear()

"""Rates that money is taken at."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from django.conf import settings

from common import clock
from payments.market import selectors, store
from payments.market.errors import RateUnavailable
from payments.market.models import Quote
from payments.market.rules import prices
from payments.market.rules.budgets import Purpose
from payments.market.rules.coins import Coin, Token
from payments.market.rules.prices import Price
from payments.market.services.prices import prices_refresh
from shop.catalogue.errors import UnknownToken

# Of a buyer who waits for another one's fetch.
WAIT_SECONDS: Final = 3.0
LOOK_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True)
class Rate:
    """USD for one `token`, as `source` gave it at `as_of`; young enough to take money at."""

    token: Token
    rate: Decimal
    source: str
    as_of: datetime

    def base_units(self, minor: int) -> int:
        """What so many cents are in the token's base units, rounded up to a whole one."""
        return prices.base_units(minor, per_major=100, rate=self.rate, decimals=self.token.decimals)


def rate_for_checkout(*, token: str, methods: Sequence[str] = ()) -> Rate:
    """A rate to be trusted with money: not older than settings.MARKET_CHECKOUT_SECONDS.

    Where the stored one is older, the providers are asked, out of the reserve that is kept for
    this: never call it in a transaction. `methods` are the other ways to pay that a refusal names.
    Raises UnknownToken, RateUnavailable.
    """
    found = selectors.token_find(token)
    if found is None:
        raise UnknownToken
    price = price_for_checkout(coin=found.coin, methods=methods)
    return Rate(found, price.price, price.source, price.as_of)


def price_for_checkout(*, coin: Coin, methods: Sequence[str] = ()) -> Price:
    """The same of any coin, payable or not. Raises RateUnavailable."""
    price = _fresh(coin) or _fetched(coin)
    if price is None:
        raise RateUnavailable(methods)
    return price


def _fresh(coin: Coin) -> Price | None:
    """From the database, by its clock: the cache may lag."""
    price = selectors.latest_read([coin]).get(coin.id)
    oldest = timedelta(seconds=settings.MARKET_CHECKOUT_SECONDS)
    if price is None or abs(clock.now() - price.as_of) > oldest:
        return None
    return price


def _fetched(coin: Coin) -> Price | None:
    """What one of many buyers fetches; where it brought nothing, one of those who wait does."""
    until = time.monotonic() + WAIT_SECONDS
    while (turn := store.fetching_begin(coin.id)) is None:
        time.sleep(LOOK_SECONDS)
        price = _fresh(coin)
        if price is not None or time.monotonic() > until:
            return price
    return _asked(coin, turn)


def _asked(coin: Coin, turn: str) -> Price | None:
    price = None
    try:
        # Between this buyer's look and his turn another one may have ended.
        price = _fresh(coin)
        if price is None:
            prices_refresh(coins=[coin], purpose=Purpose.CHECKOUT)
            price = _fresh(coin)
    finally:
        store.fetching_end(coin.id, turn, found=price is not None)
    return price


def quote_create(*, rate: Rate) -> Quote:
    """Promise the rate for settings.MARKET_QUOTE_SECONDS; in the caller's transaction."""
    now = clock.now()
    return Quote.objects.create(
        token=rate.token.symbol,
        currency="USD",
        rate=prices.to_units(rate.rate),
        source=rate.source,
        as_of=rate.as_of,
        quoted_at=now,
        expires_at=now + timedelta(seconds=settings.MARKET_QUOTE_SECONDS),
    )

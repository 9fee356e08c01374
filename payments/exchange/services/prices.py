"""The price that an order is placed at."""

from dataclasses import dataclass

from payments.exchange import selectors
from payments.exchange.models import ExchangeCurrency
from payments.exchange.rules import FIXED
from payments.market.errors import RateUnavailable
from payments.market.rules.prices import to_units
from payments.market.services import price_for_checkout


@dataclass(frozen=True, slots=True)
class Terms:
    """`price` in 10^-18 USD, from `source`."""

    currency: ExchangeCurrency
    price: int
    source: str


def terms_of(symbol: str) -> Terms:
    """What a coin costs now: never call it in a transaction, the market's providers may be asked.

    Raises UnknownCurrency, RateUnavailable.
    """
    row = selectors.currency_find(symbol)
    if not selectors.follows_market(symbol):
        return Terms(row, row.price, FIXED)
    coin = selectors.market_coin(symbol)
    if coin is None:
        raise RateUnavailable
    found = price_for_checkout(coin=coin)
    return Terms(row, to_units(found.price), found.source)

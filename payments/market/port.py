"""Token prices for the catalogue: a whole page from one cached rate, and nobody is asked."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from common.money import DECIMALS
from payments.market import selectors
from payments.market.rules import prices
from shop.catalogue.errors import UnknownToken
from shop.ports import TokenPriceUnavailable


@dataclass(frozen=True, slots=True)
class MarketQuote:
    """Fills `shop.ports.TokenQuote`. `numerator / denominator` is base units for a minor unit."""

    token: str
    source: str
    rate: Decimal
    as_of: datetime
    expires_at: datetime
    stale: bool
    decimals: int
    numerator: int
    denominator: int

    def amount(self, minor: int) -> str:
        # Whole numbers: with fractions the tokens' prices cost a page two fifths of its time.
        return prices.to_text(-(-minor * self.numerator // self.denominator), self.decimals)


class MarketPricer:
    """Fills `shop.ports.TokenPricer`."""

    def quote(self, *, token: str, currency: str) -> MarketQuote:
        """Raises UnknownToken, TokenPriceUnavailable."""
        found = selectors.token_find(token)
        if found is None:
            raise UnknownToken
        if currency != "USD":
            raise TokenPriceUnavailable("unknown_currency")
        rate = selectors.latest().get(found.coin.id)
        if rate is None:
            raise TokenPriceUnavailable("no_data")
        if not selectors.is_shown(rate):
            raise TokenPriceUnavailable("too_old")
        numerator, denominator = prices.units_for_minor(
            per_major=10 ** DECIMALS[currency], rate=rate.price, decimals=found.decimals
        )
        return MarketQuote(
            token=found.symbol,
            source=rate.source,
            rate=rate.price.normalize(),
            as_of=rate.as_of,
            expires_at=selectors.expires_at(rate),
            stale=selectors.is_stale(rate),
            decimals=found.decimals,
            numerator=numerator,
            denominator=denominator,
        )

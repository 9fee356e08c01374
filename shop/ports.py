"""What `shop` asks of the apps above it, as Protocols that they fill at start-up."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol


class TokenPriceUnavailable(Exception):
    """No source of prices can be trusted at the moment; `reason` is a stable code."""

    def __init__(self, reason: str = "unavailable") -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class TokenPrice:
    """An amount in a token's own unit (ETH, not wei), and where its rate comes from."""

    token: str
    amount: Decimal
    rate: Decimal
    source: str
    as_of: datetime
    expires_at: datetime
    stale: bool


class TokenQuote(Protocol):
    """One rate, good for a whole page of products."""

    def price(self, amount: int) -> TokenPrice:
        """What `amount` minor units of the quote's currency are in the token."""
        ...


class TokenPricer(Protocol):
    def quote(self, *, token: str, currency: str) -> TokenQuote:
        """Raises TokenPriceUnavailable, and `UnknownToken` of the catalogue."""
        ...


class _NoPricer:
    """Stands in until `payments` has registered: the catalogue answers without token prices."""

    def quote(self, *, token: str, currency: str) -> TokenQuote:
        raise TokenPriceUnavailable


_pricer: TokenPricer = _NoPricer()


def register_token_pricer(pricer: TokenPricer | None) -> None:
    """Fill the port; None empties it again."""
    global _pricer
    _pricer = pricer or _NoPricer()


def token_quote(*, token: str, currency: str) -> TokenQuote:
    """A quote of whoever fills the port. Raises as `TokenPricer.quote` does."""
    return _pricer.quote(token=token, currency=currency)

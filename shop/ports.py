"""What `shop` asks of the apps above it, as Protocols that they fill at start-up."""

from datetime import datetime
from decimal import Decimal
from typing import Protocol


class TokenPriceUnavailable(Exception):
    """No source of prices can be trusted at the moment; `reason` is a stable code."""

    def __init__(self, reason: str = "unavailable") -> None:
        super().__init__(reason)
        self.reason = reason


class TokenQuote(Protocol):
    """One rate, good for a whole page of products, and where it comes from."""

    @property
    def token(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def rate(self) -> Decimal: ...
    @property
    def as_of(self) -> datetime: ...
    @property
    def expires_at(self) -> datetime: ...
    @property
    def stale(self) -> bool: ...

    def amount(self, minor: int) -> str:
        """What minor units of the quote's currency are in the token (ETH, not wei), rounded up."""
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

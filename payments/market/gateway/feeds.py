"""The providers under one interface, by the name that `settings.MARKET_PROVIDERS` has for them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from payments.market.gateway import coingecko, coinmarketcap, simulated
from payments.market.rules.coins import Coin
from payments.market.rules.prices import Reading


class History(Protocol):
    def __call__(self, coin: Coin, now: datetime, *, span: timedelta) -> list[Reading]: ...


@dataclass(frozen=True, slots=True)
class Feed:
    """How a provider is asked. Both calls raise ProviderFault.

    `latest` gives what the provider has of the coins; one that it does not know is left out.
    `credits` is what a call for so many coins costs. A local feed asks nobody, hence needs no
    budget and cannot fail.
    """

    latest: Callable[[Sequence[Coin], datetime], list[Reading]]
    credits: Callable[[int], int]
    history: History | None = None
    local: bool = False


FEEDS: Final = {
    "coingecko": Feed(coingecko.latest, coingecko.credits, coingecko.history),
    "coinmarketcap": Feed(coinmarketcap.latest, coinmarketcap.credits),
    "simulated": Feed(simulated.latest, simulated.credits, simulated.history, local=True),
}

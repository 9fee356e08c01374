"""The coins this shop knows, under the names that everybody gives them. Pure.

`near` is a price in USD and `supply` a number of coins, both of late 2026 and rough: the first
reading of a coin is held against `near`, and the simulated feed walks around it.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final


@dataclass(frozen=True, slots=True)
class Coin:
    """`id` is ours. `contract` is the ERC-20 contract on Ethereum, where there is one.

    `retired` are ids that providers gave it once and that lead to it still.
    """

    id: str
    symbol: str
    name: str
    coingecko: str
    coinmarketcap: int
    near: Decimal
    supply: int
    contract: str = ""
    aliases: tuple[str, ...] = ()
    retired: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """A coin, and the name it was asked for by."""

    coin: Coin
    asked: str

    @property
    def notice(self) -> str | None:
        """What somebody who asked for a retired id is told."""
        if self.asked not in self.coin.retired:
            return None
        return f"{self.asked} was retired for {self.coin.id}, whose data this is."


COINS: Final = (
    Coin("bitcoin", "BTC", "Bitcoin", "bitcoin", 1, Decimal(100_000), 19_900_000, aliases=("xbt",)),
    Coin("ethereum", "ETH", "Ethereum", "ethereum", 1027, Decimal(3_500), 120_700_000),
    Coin(
        *("usd-coin", "USDC", "USDC", "usd-coin", 3408, Decimal(1), 61_000_000_000),
        contract="0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48",
    ),
    Coin(
        *("tether", "USDT", "Tether", "tether", 825, Decimal(1), 150_000_000_000),
        contract="0xdAC17F958D2ee523a2206206994597C13D831ec7",
    ),
    Coin(
        *("polygon-ecosystem-token", "POL", "POL (ex-MATIC)", "polygon-ecosystem-token", 28321),
        *(Decimal("0.36"), 10_400_000_000),
        contract="0x455e53CBB86018Ac2B8092FdCd39d8444aFFC3F6",
        aliases=("polygon", "matic"),
        retired=("matic-network",),
    ),
    Coin("solana", "SOL", "Solana", "solana", 5426, Decimal(170), 520_000_000),
    Coin("ripple", "XRP", "XRP", "ripple", 52, Decimal("2.20"), 59_000_000_000),
    Coin("cardano", "ADA", "Cardano", "cardano", 2010, Decimal("0.70"), 35_300_000_000),
    Coin("dogecoin", "DOGE", "Dogecoin", "dogecoin", 74, Decimal("0.19"), 149_000_000_000),
    Coin("litecoin", "LTC", "Litecoin", "litecoin", 2, Decimal(95), 76_000_000),
)
BY_ID: Final = {coin.id: coin for coin in COINS}


def _names(coin: Coin) -> tuple[str, ...]:
    names = (coin.id, coin.symbol, coin.coingecko, coin.contract, *coin.aliases, *coin.retired)
    return tuple(name.lower() for name in names if name)


_BY_NAME: Final = {name: coin for coin in COINS for name in _names(coin)}


def find(text: str) -> Found | None:
    """The coin of an id, a symbol, an alias, a contract or a retired id, in any case of letters."""
    asked = text.strip().lower()
    coin = _BY_NAME.get(asked)
    return None if coin is None else Found(coin, asked)


@dataclass(frozen=True, slots=True)
class Token:
    """What can be paid with: a coin, the decimals of its base unit, and how deep it must lie."""

    symbol: str
    coin: Coin
    decimals: int
    confirmations: int

"""What both providers know: coins, prices, keys, limits, and the faults that were asked for."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

JSON = dict[str, Any]
COINGECKO: Final = "coingecko"
COINMARKETCAP: Final = "coinmarketcap"
PROVIDERS: Final = (COINGECKO, COINMARKETCAP)

# CoinGecko's id, CoinMarketCap's id, symbol, USD, supply.
COINS: Final = (
    ("bitcoin", 1, "BTC", 67_187.335, 19_700_000),
    ("ethereum", 1027, "ETH", 3_456.789, 120_000_000),
    ("usd-coin", 3408, "USDC", 0.999_9, 61_000_000_000),
    ("tether", 825, "USDT", 1.000_1, 150_000_000_000),
    ("polygon-ecosystem-token", 28321, "POL", 0.361_234_567, 10_400_000_000),
    ("solana", 5426, "SOL", 171.05, 520_000_000),
    ("ripple", 52, "XRP", 2.2, 59_000_000_000),
    ("cardano", 2010, "ADA", 0.7, 35_000_000_000),
    ("dogecoin", 74, "DOGE", 0.19, 149_000_000_000),
    ("litecoin", 2, "LTC", 95.5, 76_000_000),
)

# What a fault does: to the connection or status, to the body, or to the prices in it.
HTTP_FAULTS: Final = {"timeout", "500", "html", "truncated", "redirect", "endless"}
LIMIT_FAULTS: Final = {
    COINGECKO: {"429_json", "429_text", "429_in_200"},
    COINMARKETCAP: {"1001", "1006", "1007", "1008", "1009", "1010", "1011", "429_text"},
}
# As JSON has them written; the sandbox writes what no library would.
PRICE_FAULTS: Final = {
    "nan": "NaN",
    "zero": "0",
    "negative": "-67187.3",
    "huge": "1e308",
    "null": "null",
    "text": '"67187.3"',
}
DATA_FAULTS: Final = {*PRICE_FAULTS, "x100", "stale", "future", "missing", "empty"}


@dataclass
class Fault:
    """One kind of failure, for so many calls of a provider."""

    provider: str
    kind: str
    times: int
    seconds: float


@dataclass
class World:
    """`clock` is unix seconds. Limits are calls a minute of one key, 0 for none."""

    clock: Callable[[], float] = time.time
    keys: dict[str, str] = field(default_factory=lambda: {COINGECKO: "", COINMARKETCAP: "sandbox"})
    per_minute: dict[str, int] = field(default_factory=lambda: dict.fromkeys(PROVIDERS, 0))
    prices: dict[str, float] = field(default_factory=lambda: {c[0]: c[3] for c in COINS})
    calls: list[JSON] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    guard: Any = field(default_factory=threading.RLock)
    _minute: Counter[tuple[str, int]] = field(default_factory=Counter)

    def fault(self, provider: str, kind: str, *, times: int = 1, seconds: float = 30.0) -> None:
        """Raises ValueError: a misspelt fault that never happens would make a test pass."""
        known = HTTP_FAULTS | DATA_FAULTS | LIMIT_FAULTS.get(provider, set())
        if provider not in PROVIDERS or kind not in known:
            raise ValueError(f"provider must be of {PROVIDERS}, kind of {sorted(known)}")
        if times < 1 or not 0 <= seconds <= 3600:
            raise ValueError("times must be positive, seconds from 0 to 3600")
        with self.guard:
            self.faults.append(Fault(provider, kind, times, seconds))

    def take_fault(self, provider: str) -> Fault | None:
        with self.guard:
            found = next((f for f in self.faults if f.provider == provider and f.times), None)
            if found is not None:
                found.times -= 1
            return found

    def clear(self) -> None:
        """As it began, but for its keys."""
        with self.guard:
            self.faults.clear()
            self.calls.clear()
            self._minute.clear()
            self.prices = {c[0]: c[3] for c in COINS}
            self.per_minute = dict.fromkeys(PROVIDERS, 0)

    def is_over_limit(self, provider: str) -> bool:
        limit = self.per_minute[provider]
        with self.guard:
            key = provider, int(self.clock() // 60)
            self._minute[key] += 1
            return 0 < limit < self._minute[key]

    def note(self, provider: str, path: str, query: str, status: int) -> None:
        with self.guard:
            self.calls.append(
                {"provider": provider, "path": path, "query": query, "status": status}
            )

"""Prices for a shop with no key and no network: a walk that follows from the time alone. Pure.

Every process finds the same price for the same minute. Noise of several lengths is laid over one
another, each a row of random steps with straight lines between them; together they look like a
market, and stay within about a third of `Coin.near`.
"""

import hashlib
import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

from payments.market.rules.coins import Coin
from payments.market.rules.prices import Reading

STEP_SECONDS: Final = 60
# Minutes, an hour, five hours, a day and a half, ten days, two months; how far each leads away.
_WAVES: Final = (
    (300, 0.0015),
    (3_600, 0.005),
    (18_000, 0.015),
    (130_000, 0.04),
    (900_000, 0.08),
    (5_200_000, 0.12),
)
# What is worth a dollar stays near it.
_STABLE: Final = 0.005
_STABLE_COINS: Final = {"usd-coin", "tether"}


def reading(coin: Coin, now: datetime) -> Reading:
    """The coin's reading of the minute that `now` is in."""
    moment = int(now.timestamp()) // STEP_SECONDS * STEP_SECONDS
    price, before = _price(coin, moment), _price(coin, moment - 86_400)
    return Reading(
        coin=coin.id,
        price=price,
        updated_at=datetime.fromtimestamp(moment, UTC),
        market_cap=(price * coin.supply).quantize(Decimal("0.01")),
        change_24h=round(float(price / before - 1) * 100, 6),
    )


def history(coin: Coin, now: datetime, *, span: timedelta, step: timedelta) -> Iterator[Reading]:
    """Earlier readings, oldest first, the last a step before `now`."""
    for number in range(int(span / step), 0, -1):
        yield reading(coin, now - number * step)


def _price(coin: Coin, moment: int) -> Decimal:
    scale = _STABLE if coin.id in _STABLE_COINS else 1.0
    away = sum(size * _noise(f"{coin.id}:{length}", moment / length) for length, size in _WAVES)
    # Six significant digits: the last ones of a float differ between machines.
    return Decimal(f"{float(coin.near) * math.exp(scale * away):.6g}")


def _noise(name: str, place: float) -> float:
    """From -1 to 1."""
    left = math.floor(place)
    share = place - left
    return _step(name, left) * (1 - share) + _step(name, left + 1) * share


def _step(name: str, number: int) -> float:
    digest = hashlib.blake2b(f"{name}:{number}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**63 - 1

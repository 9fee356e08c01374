"""The feed for use with no key and no network; it says of itself that it is simulated."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from payments.market.rules import simulation
from payments.market.rules.coins import Coin
from payments.market.rules.prices import Reading

_STEP: Final = timedelta(minutes=15)


def credits(coins: int) -> int:
    return 0


def latest(coins: Sequence[Coin], now: datetime) -> list[Reading]:
    return [simulation.reading(coin, now) for coin in coins]


def history(coin: Coin, now: datetime, *, span: timedelta) -> list[Reading]:
    return list(simulation.history(coin, now, span=span, step=_STEP))

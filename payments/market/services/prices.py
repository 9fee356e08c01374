"""Fetch prices, judge them, store them once, whoever fetches and how often.

Every provider in its order is asked for what the ones before it did not give. Nothing is held
while a provider is asked.
"""

import logging
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Final

from django.conf import settings
from django.db.models import Q
from django.db.models.functions import Now

from common import clock
from payments.market import selectors, store
from payments.market.errors import NotNow, ProviderFault
from payments.market.gateway import FEEDS
from payments.market.models import MarketTurn
from payments.market.rules import prices
from payments.market.rules.budgets import Purpose
from payments.market.rules.coins import BY_ID, COINS, Coin
from payments.market.rules.prices import Reading
from payments.market.services.budgets import provider_call
from payments.market.services.history import histories_fill
from payments.market.services.readings import readings_store

logger = logging.getLogger(__name__)

TURN: Final = "tick"
RETRY_SECONDS: Final = 60.0


def prices_tick(*, every: float) -> int:
    """Fetch all coins, unless any process has within `every` seconds; how many have a new price.

    Fills in history for coins that have none.
    """
    if not _turn_take(TURN, every):
        return 0
    found = prices_refresh(coins=COINS, purpose=Purpose.TICK)
    if not found:
        _turn_shorten(TURN, every)
        return 0
    histories_fill()
    return len(found)


def trigger_send(*, every: float) -> int:
    """If it is time to, ask whoever listens on the channel for an update; how many heard it."""
    try:
        return store.trigger_publish() if selectors.turn_is_due(TURN, every) else 0
    except store.AWAY:
        return 0


def _turn_take(name: str, seconds: float) -> bool:
    """True for one of several processes that want the same done within so many seconds."""
    if not selectors.turn_is_due(name, seconds):
        return False
    MarketTurn.objects.bulk_create([MarketTurn(name=name)], ignore_conflicts=True)
    due = Q(taken_at=None) | Q(taken_at__lte=Now() - timedelta(seconds=seconds))
    return MarketTurn.objects.filter(due, name=name).update(taken_at=Now()) == 1


def _turn_shorten(name: str, seconds: float) -> None:
    """Nothing came of it: somebody is to try again soon, as far as breakers let him."""
    since = max(0.0, seconds - RETRY_SECONDS)
    MarketTurn.objects.filter(name=name).update(taken_at=Now() - timedelta(seconds=since))


def prices_refresh(*, coins: Sequence[Coin], purpose: Purpose) -> set[str]:
    """Ask the providers now; the ids of the coins that a price was believed of.

    Never call it in a transaction.
    """
    now = clock.now()
    judge = _Judge(coins, now)
    for provider in settings.MARKET_PROVIDERS:
        wanted = [coin for coin in coins if coin.id not in judge.believed]
        if wanted:
            good = judge.believe(_asked(provider, wanted, purpose, now))
            readings_store(provider=provider, readings=good)
    if judge.believed:
        selectors.latest_renew()
    return judge.believed


def _asked(provider: str, coins: Sequence[Coin], purpose: Purpose, now: datetime) -> list[Reading]:
    """What the provider says; nothing where it cannot be asked or fails."""
    feed = FEEDS[provider]
    call = partial(feed.latest, coins, now)
    if feed.local:
        return call()
    try:
        return provider_call(
            provider=provider, purpose=purpose, credits=feed.credits(len(coins)), call=call
        )
    except (NotNow, ProviderFault) as error:
        logger.info("market.no_answer", extra={"code": f"{provider}.{type(error).__name__}"})
        return []


class _Judge:
    """Which readings of one round are believed, and what was doubted until another said the same.

    Two providers that agree outvote the past.
    """

    def __init__(self, coins: Sequence[Coin], now: datetime) -> None:
        self.believed: set[str] = set()
        self._now, self._bounds = now, selectors.bounds()
        self._before = selectors.believed(coins, now)
        self._doubted: dict[str, list[Decimal]] = {}

    def believe(self, readings: Iterable[Reading]) -> list[Reading]:
        good = [reading for reading in readings if self._is_good(reading)]
        self.believed |= {reading.coin for reading in good}
        return good

    def _is_good(self, reading: Reading) -> bool:
        code = prices.refusal(
            reading,
            before=self._before.get(reading.coin),
            near=BY_ID[reading.coin].near,
            now=self._now,
            bounds=self._bounds,
        )
        if code is None or (code in prices.DOUBTFUL and self._is_seconded(reading)):
            return True
        logger.warning("market.refused", extra={"code": f"{reading.coin}.{code}"})
        return False

    def _is_seconded(self, reading: Reading) -> bool:
        others = self._doubted.setdefault(reading.coin, [])
        agreed = any(prices.agree(reading.price, o, self._bounds.jump) for o in others)
        others.append(reading.price)
        return agreed

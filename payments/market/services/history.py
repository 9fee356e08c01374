"""What was before the shop began to look, and what is too old to keep."""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Final

from django.conf import settings
from django.db.models.functions import Now

from common import clock
from common.db import transactional
from payments.market import selectors
from payments.market.errors import NotNow, ProviderFault
from payments.market.gateway import FEEDS, History
from payments.market.models import CoinPrice, MarketTurn, ProviderUse
from payments.market.rules import prices
from payments.market.rules.budgets import Purpose
from payments.market.rules.coins import COINS, Coin
from payments.market.rules.prices import Bounds, Reading
from payments.market.services.budgets import provider_call
from payments.market.services.readings import readings_store

logger = logging.getLogger(__name__)

# As many as "the last 100 prices" asks for, and a few.
SPAN: Final = timedelta(hours=26)
BATCH: Final = 5_000
KEEP_USE: Final = timedelta(days=70)


def histories_fill() -> int:
    """Back-fill each coin once from the first provider that has history; how many were filled.

    Stops where the provider fails or its budget says so; the next tick goes on.
    """
    provider = next((name for name in settings.MARKET_PROVIDERS if FEEDS[name].history), "")
    history = FEEDS[provider].history if provider else None
    if history is None:
        return 0
    turns = {f"history:{provider}:{coin.id}": coin for coin in COINS}
    taken = selectors.turns_taken(list(turns))
    filled = 0
    for turn, coin in turns.items():
        if turn not in taken:
            if not _fill(provider, history, coin, turn):
                break
            filled += 1
    return filled


def _fill(provider: str, history: History, coin: Coin, turn: str) -> bool:
    now = clock.now()
    call = partial(history, coin, now, span=SPAN)
    try:
        if FEEDS[provider].local:
            found = call()
        else:
            found = provider_call(provider=provider, purpose=Purpose.HISTORY, credits=1, call=call)
    except (NotNow, ProviderFault) as error:
        logger.info("market.no_history", extra={"code": f"{provider}.{type(error).__name__}"})
        return False
    readings_store(provider=provider, readings=_earlier(coin, found, now))
    MarketTurn.objects.bulk_create([MarketTurn(name=turn, taken_at=now)], ignore_conflicts=True)
    return True


def _earlier(coin: Coin, found: Sequence[Reading], now: datetime) -> list[Reading]:
    """Those before what is stored, a tick apart, each near the one after it."""
    first = selectors.oldest(coin)
    until = now if first is None else first.updated_at
    ticked = prices.by_slot(found, settings.MARKET_TICK_SECONDS)
    limits = selectors.bounds()
    limits = Bounds(limits.jump, limits.first, oldest=2 * SPAN)
    after: Decimal | None = None if first is None else prices.from_units(first.price)
    kept = []
    for reading in reversed([each for each in ticked if each.updated_at < until]):
        code = prices.refusal(reading, before=after, near=coin.near, now=now, bounds=limits)
        if code is None:
            kept.append(reading)
            after = reading.price
    return kept


def market_forget() -> int:
    """Delete prices past their retention, but never a coin's newest hundred; how many.

    What was used of budgets goes after two months.
    """
    ProviderUse.objects.filter(starts_at__lt=Now() - KEEP_USE).delete()
    cutoff = clock.now() - timedelta(days=settings.MARKET_KEEP_DAYS)
    pairs = CoinPrice.objects.order_by().values_list("provider", "coin").distinct()
    return sum(_forget(provider, coin, cutoff) for provider, coin in list(pairs))


@transactional
def _forget(provider: str, coin: str, cutoff: datetime) -> int:
    rows = CoinPrice.objects.filter(provider=provider, coin=coin).order_by("-updated_at", "-pk")
    moments = list(rows.values_list("updated_at", flat=True)[selectors.SAMPLES - 1 :][:1])
    if not moments:
        return 0
    old = rows.filter(updated_at__lt=min(cutoff, moments[0]))
    ids = list(old.values_list("pk", flat=True)[:BATCH])
    return CoinPrice.objects.filter(pk__in=ids).delete()[0]

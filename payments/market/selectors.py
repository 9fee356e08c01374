"""Reads of the market. Only prices of the providers that are configured are read.

So simulated prices and real ones never mix, whatever is left in the table.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import reduce
from operator import or_
from typing import Final

from django.conf import settings
from django.db.models import Max, Q, QuerySet

from common import clock
from payments.market import store
from payments.market.errors import NoData
from payments.market.models import CoinPrice, MarketTurn, ProviderState, ProviderUse
from payments.market.rules import budgets, prices
from payments.market.rules.budgets import Limits, Purpose, Window
from payments.market.rules.coins import BY_ID, COINS, Coin, Token
from payments.market.rules.prices import Bounds, Price

SAMPLES: Final = 100
# Points of a chart; more are thinned out.
MOST_POINTS: Final = 500
# Points of a line beside a coin's name.
SPARK_POINTS: Final = 48


def stored() -> QuerySet[CoinPrice]:
    return CoinPrice.objects.filter(provider__in=settings.MARKET_PROVIDERS)


def latest() -> dict[str, Price]:
    """The newest price of each coin that has one, by id; from the cache, as a rule."""
    found = store.latest_get()
    return latest_renew() if found is None else found


def latest_renew() -> dict[str, Price]:
    found = latest_read()
    store.latest_set(found)
    return found


def latest_read(coins: Iterable[Coin] = COINS) -> dict[str, Price]:
    """The same from the database."""
    ids = [coin.id for coin in coins]
    newest = stored().filter(coin__in=ids).order_by().values_list("provider", "coin")
    keys = [
        Q(provider=provider, coin=coin, updated_at=moment)
        for provider, coin, moment in newest.annotate(Max("updated_at"))
    ]
    if not keys:
        return {}
    rows = CoinPrice.objects.filter(reduce(or_, keys)).order_by("updated_at", "pk")
    return {row.coin: row.value for row in rows}


def price_of(coin: Coin) -> Price:
    """Raises NoData."""
    found = latest().get(coin.id)
    if found is None:
        raise NoData
    return found


def expires_at(price: Price) -> datetime:
    """When the next price should have come: one tick may fail."""
    return price.as_of + timedelta(seconds=2 * settings.MARKET_TICK_SECONDS)


def is_stale(price: Price) -> bool:
    return expires_at(price) <= _now()


def is_shown(price: Price) -> bool:
    """Whether it is young enough to show what goods cost in it."""
    return _now() - price.as_of <= timedelta(seconds=settings.MARKET_SHOW_SECONDS)


def _now() -> datetime:
    """This host's clock: nothing is decided by it, and a page with prices costs no query more."""
    return datetime.now(UTC)


def bounds() -> Bounds:
    return Bounds(
        jump=Decimal(str(settings.MARKET_JUMP_FACTOR)),
        first=Decimal(str(settings.MARKET_FIRST_FACTOR)),
        oldest=timedelta(seconds=settings.MARKET_SHOW_SECONDS),
    )


def believed(coins: Iterable[Coin], now: datetime) -> dict[str, Decimal]:
    """What new prices are held against: the last ones, unless they are too old to say much."""
    since = now - timedelta(seconds=settings.MARKET_JUMP_SECONDS)
    found = latest_read(coins).values()
    return {price.coin: price.price for price in found if price.as_of >= since}


def newest(coin: Coin, count: int) -> list[Decimal]:
    rows = stored().filter(coin=coin.id).order_by("-updated_at", "-pk")
    return [prices.from_units(units) for units in rows.values_list("price", flat=True)[:count]]


def deviation(coin: Coin) -> tuple[Decimal, int]:
    """Of the newest 100 prices, and how many there are. Raises NoData."""
    found = newest(coin, SAMPLES)
    if not found:
        raise NoData
    return prices.deviation(found), len(found)


def history(coin: Coin, since: datetime, until: datetime) -> list[Price]:
    """Prices in [since, until), oldest first, at most MOST_POINTS of them."""
    rows = stored().filter(coin=coin.id, updated_at__gte=since, updated_at__lt=until)
    columns = rows.order_by("updated_at", "pk").values_list("price", "updated_at", "provider")
    points = [Price(coin.id, prices.from_units(each[0]), each[1], each[2]) for each in columns]
    return prices.thinned(points, MOST_POINTS)


@dataclass(frozen=True, slots=True)
class Overview:
    """A coin, its newest price, and what it cost before, oldest first."""

    coin: Coin
    price: Price
    points: list[Decimal]


def overview(*, since: datetime, most: int) -> list[Overview]:
    """The first `most` coins that have a price which may be shown; one query for all of them."""
    newest = latest()
    found = [coin for coin in COINS if coin.id in newest and is_shown(newest[coin.id])][:most]
    rows = stored().filter(coin__in=[coin.id for coin in found])
    rows = rows.filter(updated_at__gte=since).order_by("updated_at", "pk")
    points: dict[str, list[Decimal]] = {}
    for coin, units in rows.values_list("coin", "price"):
        points.setdefault(coin, []).append(prices.from_units(units))
    return [
        Overview(coin, newest[coin.id], prices.thinned(points.get(coin.id, []), SPARK_POINTS))
        for coin in found
    ]


def oldest(coin: Coin) -> CoinPrice | None:
    return stored().filter(coin=coin.id).order_by("updated_at", "pk").first()


def tokens() -> list[Token]:
    """What can be paid with, by settings.PAYABLE_TOKENS."""
    return [
        Token(symbol, BY_ID[found["coin"]], found["decimals"], found["confirmations"])
        for symbol, found in settings.PAYABLE_TOKENS.items()
    ]


def token_find(symbol: str) -> Token | None:
    return next((token for token in tokens() if token.symbol == symbol), None)


def turn_is_due(name: str, seconds: float) -> bool:
    early = MarketTurn.objects.filter(name=name, taken_at__gt=clock.now() - _span(seconds))
    return not early.exists()


def _span(seconds: float) -> timedelta:
    return timedelta(seconds=seconds)


def turns_taken(names: Sequence[str]) -> set[str]:
    return set(MarketTurn.objects.filter(name__in=names).values_list("name", flat=True))


def limits_of(provider: str) -> Limits:
    return Limits(**settings.MARKET_LIMITS.get(provider, {}))


def used(provider: str, now: datetime) -> dict[Window, int]:
    """What of each window is used, those with a row only."""
    windows = [Q(window=w, starts_at=budgets.starts(w, now)) for w in Window]
    rows = ProviderUse.objects.filter(reduce(or_, windows), provider=provider)
    return {Window(window): count for window, count in rows.values_list("window", "used")}


@dataclass(frozen=True, slots=True)
class BudgetLeft:
    """One window of a provider's budget; `left_now` is what a tick may still take.

    A day without a limit of its own has one for ticks, as a share of the month.
    """

    window: str
    limit: int | None
    used: int
    left: int | None
    left_now: int
    resets_at: datetime


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider as staff see it; `position` is its place in the order, 1 is asked first."""

    provider: str
    position: int
    key: bool
    open_until: datetime | None
    reason: str
    failures: int
    succeeded_at: datetime | None
    failed_at: datetime | None
    budgets: list[BudgetLeft]


def providers() -> list[Provider]:
    now = clock.now()
    names = settings.MARKET_PROVIDERS
    states = {state.provider: state for state in ProviderState.objects.filter(provider__in=names)}
    return [
        _provider(name, place, states.get(name) or ProviderState(provider=name), now)
        for place, name in enumerate(names, start=1)
    ]


def _provider(name: str, place: int, state: ProviderState, now: datetime) -> Provider:
    until = state.open_until if state.open_until and state.open_until > now else None
    return Provider(
        provider=name,
        position=place,
        key=bool(getattr(settings, f"{name.upper()}_API_KEY", "")),
        open_until=until,
        reason=state.reason if until else "",
        failures=state.failures,
        succeeded_at=state.succeeded_at,
        failed_at=state.failed_at,
        budgets=_left(name, now),
    )


def _left(name: str, now: datetime) -> list[BudgetLeft]:
    limits, spent = limits_of(name), used(name, now)
    caps = budgets.caps(limits, spent, purpose=Purpose.TICK, now=now)
    return [
        _budget(window, limits.of(window), spent.get(window, 0), caps[window], now)
        for window in Window
        if window in caps
    ]


def _budget(window: Window, limit: int, spent: int, cap: int, now: datetime) -> BudgetLeft:
    return BudgetLeft(
        window=window.value,
        limit=limit or None,
        used=spent,
        left=max(0, limit - spent) if limit else None,
        left_now=max(0, cap - spent),
        resets_at=budgets.resets(window, now),
    )

"""Reads of the exchange."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db.models import Count, Q, QuerySet
from django.db.models.functions import Now

from common.errors import NotFound
from payments.exchange.errors import UnknownCurrency
from payments.exchange.models import (
    ExchangeAttempt,
    ExchangeBatch,
    ExchangeCurrency,
    ExchangeOrder,
)
from payments.exchange.rules import FIXED, BatchState, OrderStatus
from payments.market import selectors as market
from payments.market.rules import coins
from payments.market.rules.coins import Coin


def is_open() -> bool:
    """Whether there is a venue to settle with."""
    return bool(settings.EXCHANGE_VENUE_URL)


def follows_market(symbol: str) -> bool:
    return symbol in settings.EXCHANGE_FOLLOWS_MARKET


def market_coin(symbol: str) -> Coin | None:
    """The market's coin of a symbol; None for one that only the exchange knows."""
    found = coins.find(symbol)
    return found.coin if found else None


def currencies() -> QuerySet[ExchangeCurrency]:
    return ExchangeCurrency.objects.filter(active=True).order_by("symbol")


def currency_find(symbol: str) -> ExchangeCurrency:
    """Raises UnknownCurrency."""
    # Of the few that there are: a WHERE takes as long again to be put together, and finds `aban`.
    for row in currencies():
        if row.symbol == symbol:
            return row
    raise UnknownCurrency


def currency(pk: int) -> ExchangeCurrency:
    return ExchangeCurrency.objects.get(pk=pk)


def shown_price(row: ExchangeCurrency) -> tuple[Any, str]:
    """What a coin costs as far as the cache knows, and whose price that is."""
    if not follows_market(row.symbol):
        return row.unit_price, FIXED
    coin = market_coin(row.symbol)
    price = market.latest().get(coin.id) if coin else None
    return (price.price, price.source) if price else (None, "none")


def orders_of(
    user_id: int, *, status: str | None = None, currency: str | None = None
) -> QuerySet[ExchangeOrder]:
    # Joined, MySQL begins with the few currencies and sorts all orders of the customer.
    rows = ExchangeOrder.objects.select_related("batch").prefetch_related("currency")
    rows = rows.filter(user_id=user_id)
    rows = rows.filter(status=status) if status else rows
    return rows.filter(currency__symbol=currency) if currency else rows


def order_of(user_id: int, uid: str) -> ExchangeOrder:
    """Raises NotFound."""
    orders = ExchangeOrder.objects.select_related("currency", "batch")
    found = orders.filter(user_id=user_id, uid=uid).first()
    if found is None:
        raise NotFound
    return found


def order(pk: int) -> ExchangeOrder:
    return ExchangeOrder.objects.get(pk=pk)


def open_batch(currency_id: int) -> ExchangeBatch | None:
    return ExchangeBatch.objects.filter(open_for=currency_id).first()


def batch(pk: int) -> ExchangeBatch:
    return ExchangeBatch.objects.select_related("currency").get(pk=pk)


def batches(*, state: str | None = None, currency: str | None = None) -> QuerySet[ExchangeBatch]:
    """Batches with members; an open one that everybody has left is nobody's."""
    # Joined, MySQL begins with the few currencies and sorts all batches.
    rows = ExchangeBatch.objects.filter(members__gt=0).prefetch_related("currency")
    rows = rows.filter(state=state) if state else rows
    return rows.filter(currency__symbol=currency) if currency else rows


def batch_states(*, since: datetime, until: datetime) -> list[tuple[str, int]]:
    """How many batches are under way, and how many ended of those opened in [since, until)."""
    ends = (BatchState.SETTLED, BatchState.FAILED)
    lively = Q(state__in=[state for state in BatchState if state not in ends])
    ended = Q(state__in=ends, opened_at__gte=since, opened_at__lt=until)
    rows = ExchangeBatch.objects.filter(lively | ended, members__gt=0).order_by()
    found = dict(rows.values_list("state").annotate(n=Count("pk")))
    return [(state.value, found[state.value]) for state in BatchState if state.value in found]


def batch_by_uid(uid: str) -> ExchangeBatch:
    """Raises NotFound."""
    try:
        found = ExchangeBatch.objects.select_related("currency").filter(uid=uid).first()
    except ValidationError:
        found = None
    if found is None:
        raise NotFound
    return found


def members(batch_id: int) -> QuerySet[ExchangeOrder]:
    """In the order in which shares are reckoned."""
    return ExchangeOrder.objects.filter(batch_id=batch_id).select_related("user").order_by("pk")


def attempts(batch_id: int) -> QuerySet[ExchangeAttempt]:
    return ExchangeAttempt.objects.filter(batch_id=batch_id).order_by("number")


def open_attempt(batch_id: int) -> ExchangeAttempt | None:
    return ExchangeAttempt.objects.filter(open_for=batch_id).first()


def attempt(pk: int) -> ExchangeAttempt:
    return ExchangeAttempt.objects.select_related("batch__currency").get(pk=pk)


def attempts_known(client_order_ids: Sequence[str]) -> dict[str, ExchangeAttempt]:
    rows = ExchangeAttempt.objects.filter(client_order_id__in=client_order_ids)
    return {row.client_order_id: row for row in rows.select_related("batch__currency")}


def attempts_since(since: datetime) -> QuerySet[ExchangeAttempt]:
    rows = ExchangeAttempt.objects.filter(Q(created_at__gte=since) | Q(open_for__isnull=False))
    return rows.select_related("batch__currency").order_by("pk")


def unpaid_members(batch_id: int, *, limit: int) -> list[ExchangeOrder]:
    """Members of a decided batch that have not been given their shares yet."""
    rows = ExchangeOrder.objects.filter(batch_id=batch_id, status=OrderStatus.SETTLING)
    return list(rows.select_related("currency").order_by("pk")[:limit])


def overdue_batch_ids(*, limit: int) -> list[int]:
    """Open batches that have waited too long for company."""
    late = Now() - timedelta(seconds=settings.EXCHANGE_POOL_SECONDS)
    rows = ExchangeBatch.objects.filter(state=BatchState.OPEN, opened_at__lte=late, members__gt=0)
    return list(rows.order_by("opened_at").values_list("pk", flat=True)[:limit])

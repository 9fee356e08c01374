"""Reads of stock and its movements."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404

from shop.inventory.models import Stock, StockMovement


def stock_by_slug(slug: str) -> Stock:
    """Stock of a product, archived or not. Raises Http404."""
    return get_object_or_404(Stock.objects.select_related("product"), product__slug=slug)


def stocks(product_ids: Sequence[int]) -> dict[int, Stock]:
    found: dict[int, Stock] = {}
    for start in range(0, len(product_ids), 1000):
        found |= Stock.objects.in_bulk(product_ids[start : start + 1000])
    return found


def low(*, limit: int) -> tuple[list[Stock], int]:
    """Stock of products on sale of which few are left, the least first, and how many there are."""
    threshold = settings.LOW_STOCK_THRESHOLD
    rows = Stock.objects.filter(product__archived_at=None, left__lte=threshold)
    return list(rows.select_related("product").order_by("left", "pk")[:limit]), rows.count()


def movements(stock: Stock) -> QuerySet[StockMovement]:
    return StockMovement.objects.filter(stock=stock).select_related("actor", "order_line__order")


def stock_change(ref: str) -> dict[str, Any]:
    """`movement:<key>` or `stock:<key>`: the stock as it is now, and what an adjustment did."""
    kind, _, key = ref.partition(":")
    movements = StockMovement.objects.select_related("actor", "order_line__order")
    movement = movements.get(pk=key) if kind == "movement" else None
    stocks = Stock.objects.select_related("product")
    stock = stocks.get(pk=movement.stock_id if movement else int(key))
    return {"stock": stock, "movement": movement}

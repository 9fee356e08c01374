"""Reads of stock and its movements."""

from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404

from shop.inventory.models import Stock, StockMovement


def stock_by_slug(slug: str) -> Stock:
    """Stock of a product, archived or not. Raises Http404."""
    return get_object_or_404(Stock.objects.select_related("product"), product__slug=slug)


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

"""The only place that locks stock rows and holds."""

from collections.abc import Collection

from shop.inventory.models import Stock, StockHold


def stock(product_id: int) -> Stock:
    """One stock row; an adjustment compares it with what is held before it writes."""
    return Stock.objects.select_for_update().get(pk=product_id)


def stocks(product_ids: Collection[int]) -> list[Stock]:
    """Several, in primary-key order, the order in which those who buy several take theirs."""
    rows = Stock.objects.select_for_update().filter(pk__in=product_ids)
    return list(rows.order_by("pk"))


def live_holds(order_id: int) -> list[StockHold]:
    """An order's live holds by stock row, the order in which stock rows are locked next.

    A list: callers update the rows and then read them again.
    """
    holds = StockHold.objects.select_for_update().filter(
        order_line__order_id=order_id, released_at=None
    )
    return list(holds.order_by("stock_id"))


def ended_holds(order_id: int) -> list[StockHold]:
    """An order's released holds by stock row."""
    holds = StockHold.objects.select_for_update().filter(
        order_line__order_id=order_id, outcome=StockHold.Outcome.RELEASED
    )
    return list(holds.order_by("stock_id"))

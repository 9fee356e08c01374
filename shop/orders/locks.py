"""The only place that locks orders; an order is locked before its payments and its stock."""

from shop.orders.models import Order


def order(pk: int) -> Order:
    """The order's row; whoever changes its state, its payments or its holds has it first."""
    return Order.objects.select_for_update().get(pk=pk)

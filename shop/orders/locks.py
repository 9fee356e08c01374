"""The only place that locks orders; an order is locked before its payments and its stock."""

from shop.orders.models import Order, PastPurchases


def order(pk: int) -> Order:
    """The order's row; whoever changes its state, its payments or its holds has it first."""
    return Order.objects.select_for_update().get(pk=pk)


def past(user_id: int) -> PastPurchases:
    """The sums of a customer's past: who counts them waits for who changes what they are of.

    The row is made where there is none: a change must be waited for before anything is counted.
    """
    PastPurchases.objects.get_or_create(user_id=user_id)
    return PastPurchases.objects.select_for_update().get(user_id=user_id)

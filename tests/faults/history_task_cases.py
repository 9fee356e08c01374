"""A world for the task that sums up what customers have bought."""

from datetime import timedelta
from typing import Any

from common import clock
from payments.checkout import services as checkout
from payments.intake import services as machine
from shop.models import Order, PastPurchases
from tests.faults.cases import Case, Prepare
from tests.races.parallel import paid_order


def count_histories(sandbox: Any) -> Case:
    """A customer whose past was summed, and who gets money back."""
    placed, yesterday = paid_order(), clock.now() - timedelta(days=1)
    Order.objects.filter(pk=placed.order.pk).update(paid_at=yesterday)
    placed.order.lines.update(purchased_at=yesterday)
    checkout.history_count(user_id=placed.order.user_id)
    refund = machine.refund_request(
        payment_id=placed.payment.pk,
        amount=600,
        lines={},
        restock=False,
        reason="repeat",
        actor_id=None,
    )
    machine.refund_settle(refund_id=refund.pk, succeeded=True)

    def state() -> list[Any]:
        found = PastPurchases.objects.filter(user_id=placed.order.user_id, until__isnull=False)
        rows = found.values_list("products", "months", "methods")
        # Without products and moments, which are others each time.
        return [([row[:5] for row in products.values()], *sums) for products, *sums in rows]

    return Case(state)


HISTORY_CASES: dict[str, Prepare] = {"payments.checkout.count_histories": count_histories}

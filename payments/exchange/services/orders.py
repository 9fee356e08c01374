"""Orders that are given up while they wait for company; `placing` has how they come to be."""

from django.db.models.functions import Now

from accounts.ledger.services import hold_void
from common.db import transactional
from common.errors import InvalidTransition
from common.idempotency.services import bind
from payments.exchange import locks, selectors
from payments.exchange.rules import OrderStatus
from payments.exchange.services import pool


@transactional
def order_cancel(*, order_id: int) -> None:
    """Give up an order that waits; all of its money is free again. Raises InvalidTransition."""
    found = selectors.order(order_id)
    bind(str(found.uid), status=200)
    locks.pool(found.currency_id)
    # Read again under the lock: its batch may have been sealed meanwhile.
    order = selectors.order(order_id)
    batch = selectors.open_batch(order.currency_id)
    if order.status != OrderStatus.POOLED or batch is None:
        raise InvalidTransition("order", order.status, OrderStatus.CANCELLED)
    pool.batch_leave(batch, order)
    order.status, order.batch, order.decided_at = OrderStatus.CANCELLED, None, Now()
    order.save(update_fields=["status", "batch", "decided_at"])
    hold_void(hold_id=order.hold_id)

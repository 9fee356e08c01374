"""Write use cases of the exchange."""

from payments.exchange.services.currencies import currency_create, currency_update
from payments.exchange.services.orders import order_cancel
from payments.exchange.services.placing import order_place
from payments.exchange.services.reconcile import venue_reconcile
from payments.exchange.services.send import batch_ask, batch_settle
from payments.exchange.services.staff import batch_give_back, batch_reconcile, batch_retry
from payments.exchange.services.waiting import pools_sweep

__all__ = [
    "batch_ask",
    "batch_give_back",
    "batch_reconcile",
    "batch_retry",
    "batch_settle",
    "currency_create",
    "currency_update",
    "order_cancel",
    "order_place",
    "pools_sweep",
    "venue_reconcile",
]

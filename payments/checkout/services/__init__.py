"""Orders with their payments: placed, bought from a flash run, paid another way, given up."""

from payments.checkout.services.flash import FlashPlaced, flash_purchase
from payments.checkout.services.history import (
    histories_count,
    histories_recount,
    history_count,
)
from payments.checkout.services.orders import (
    deposit_open,
    deposits_expire,
    order_cancel,
    order_expire,
    orders_expire,
    payment_change,
)
from payments.checkout.services.placing import Placed, order_place

__all__ = [
    "FlashPlaced",
    "Placed",
    "deposit_open",
    "deposits_expire",
    "flash_purchase",
    "histories_count",
    "histories_recount",
    "history_count",
    "order_cancel",
    "order_expire",
    "order_place",
    "orders_expire",
    "payment_change",
]

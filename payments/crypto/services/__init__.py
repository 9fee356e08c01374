"""Write use cases of payments in coins."""

from payments.crypto.services.decide import invoice_decide
from payments.crypto.services.following import refunds_follow
from payments.crypto.services.invoices import Terms, invoice_create, terms
from payments.crypto.services.refunds import refund_send
from payments.crypto.services.shares import shares_take
from payments.crypto.services.submissions import hash_submit, transaction_submit
from payments.crypto.services.watcher import watch

__all__ = [
    "Terms",
    "hash_submit",
    "invoice_create",
    "invoice_decide",
    "refund_send",
    "refunds_follow",
    "shares_take",
    "terms",
    "transaction_submit",
    "watch",
]

"""Write use cases of the payment machine."""

from payments.intake.services.disputes import dispute_close, dispute_open
from payments.intake.services.many import Opening, payments_from_wallet, payments_open
from payments.intake.services.moves import move, payment_close, record
from payments.intake.services.refunds import (
    refund_record,
    refund_request,
    refund_settle,
    refund_void,
)
from payments.intake.services.resolve import (
    payment_resolve,
    payment_return,
    payment_use_or_return,
)
from payments.intake.services.settle import (
    Capture,
    payment_mark_declined,
    payment_mark_failed,
    payment_mark_processing,
    payment_open,
    payment_settle,
)

__all__ = [
    "Capture",
    "Opening",
    "dispute_close",
    "dispute_open",
    "move",
    "payment_close",
    "payment_mark_declined",
    "payment_mark_failed",
    "payment_mark_processing",
    "payment_open",
    "payment_resolve",
    "payment_return",
    "payment_settle",
    "payment_use_or_return",
    "payments_from_wallet",
    "payments_open",
    "record",
    "refund_record",
    "refund_request",
    "refund_settle",
    "refund_void",
]

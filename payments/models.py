"""The tables of `payments`, for Django to find."""

from payments.intake.models import Dispute, Payment, PaymentEvent, Refund, RefundLine
from payments.stripe.models import (
    StripeAttempt,
    StripeCustomer,
    StripeIntent,
    StripeRefund,
    WebhookEvent,
)

__all__ = [
    "Dispute",
    "Payment",
    "PaymentEvent",
    "Refund",
    "RefundLine",
    "StripeAttempt",
    "StripeCustomer",
    "StripeIntent",
    "StripeRefund",
    "WebhookEvent",
]

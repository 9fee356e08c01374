"""The tables of `payments`, for Django to find."""

from payments.intake.models import Dispute, Payment, PaymentEvent, Refund, RefundLine
from payments.notices.models import Notice
from payments.stripe.models import (
    StripeAttempt,
    StripeCustomer,
    StripeIntent,
    StripeRefund,
    WebhookEvent,
)

__all__ = [
    "Dispute",
    "Notice",
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

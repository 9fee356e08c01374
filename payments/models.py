"""The tables of `payments`, for Django to find."""

from payments.intake.models import Dispute, Payment, PaymentEvent, Refund, RefundLine
from payments.notices.models import Notice
from payments.risk.models import CardUse, RiskAllowance, RiskHit
from payments.stripe.models import (
    StripeAttempt,
    StripeCustomer,
    StripeIntent,
    StripeRefund,
    WebhookEvent,
)

__all__ = [
    "CardUse",
    "Dispute",
    "Notice",
    "Payment",
    "PaymentEvent",
    "Refund",
    "RefundLine",
    "RiskAllowance",
    "RiskHit",
    "StripeAttempt",
    "StripeCustomer",
    "StripeIntent",
    "StripeRefund",
    "WebhookEvent",
]

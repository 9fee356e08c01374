"""The tables of `payments`, for Django to find."""

from payments.chain.node.models import (
    MockAccount,
    MockBlock,
    MockHead,
    MockLog,
    MockTransaction,
)
from payments.crypto.models import (
    CoinRefund,
    CoinRefundAttempt,
    Credit,
    CreditShare,
    HotAccount,
    Invoice,
    Scan,
    ScannedBlock,
    Submission,
)
from payments.exchange.models import (
    ExchangeAttempt,
    ExchangeBatch,
    ExchangeCurrency,
    ExchangeOrder,
    ExchangePool,
)
from payments.exports.models import Export, ExportPiece
from payments.intake.models import Dispute, Payment, PaymentEvent, Refund, RefundLine
from payments.market.models import (
    CoinPrice,
    MarketTurn,
    ProviderState,
    ProviderUse,
    Quote,
)
from payments.notices.models import Notice
from payments.risk.models import CardUse, RiskAllowance, RiskHit
from payments.statistics.models import MethodDay, MethodHour
from payments.stripe.models import (
    StripeAttempt,
    StripeCustomer,
    StripeIntent,
    StripeRefund,
    StripeSending,
    WebhookEvent,
)

__all__ = [
    "CardUse",
    "CoinPrice",
    "CoinRefund",
    "CoinRefundAttempt",
    "Credit",
    "CreditShare",
    "Dispute",
    "ExchangeAttempt",
    "ExchangeBatch",
    "ExchangeCurrency",
    "ExchangeOrder",
    "ExchangePool",
    "Export",
    "ExportPiece",
    "HotAccount",
    "Invoice",
    "MarketTurn",
    "MethodDay",
    "MethodHour",
    "MockAccount",
    "MockBlock",
    "MockHead",
    "MockLog",
    "MockTransaction",
    "Notice",
    "Payment",
    "PaymentEvent",
    "ProviderState",
    "ProviderUse",
    "Quote",
    "Refund",
    "RefundLine",
    "RiskAllowance",
    "RiskHit",
    "Scan",
    "ScannedBlock",
    "StripeAttempt",
    "StripeCustomer",
    "StripeIntent",
    "StripeRefund",
    "StripeSending",
    "Submission",
    "WebhookEvent",
]

"""What Stripe's words mean for a payment, and when to ask again. Pure."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

SIGNATURE_TOLERANCE: Final = 300
POLL_SOONEST: Final = timedelta(seconds=15)
# How long after the payment's deadline the cardholder may still answer 3-D Secure.
AUTHENTICATION_GRACE: Final = timedelta(minutes=15)
POLL_LATEST: Final = timedelta(minutes=10)


class Outcome(StrEnum):
    """What an intent's status says about its payment."""

    OPEN = "open"
    DECIDING = "deciding"
    PAID = "paid"
    DEAD = "dead"


# https://docs.stripe.com/payments/paymentintents/lifecycle
_OUTCOMES: Final = {
    "requires_payment_method": Outcome.OPEN,
    "requires_confirmation": Outcome.OPEN,
    "requires_action": Outcome.DECIDING,
    "processing": Outcome.DECIDING,
    "requires_capture": Outcome.DECIDING,
    "succeeded": Outcome.PAID,
    "canceled": Outcome.DEAD,
}


# https://docs.stripe.com/refunds#refund-object: the others are pending and requires_action.
REFUND_FAILED: Final = frozenset({"failed", "canceled"})
REFUND_DECIDED: Final = REFUND_FAILED | {"succeeded"}


class DisputeState(StrEnum):
    """What a dispute's status says about the money."""

    UNTOUCHED = "untouched"
    WITHDRAWN = "withdrawn"
    RETURNED = "returned"
    LOST = "lost"


# https://docs.stripe.com/disputes/how-disputes-work: an inquiry (`warning_…`) withdraws nothing.
_DISPUTES: Final = {
    "warning_needs_response": DisputeState.UNTOUCHED,
    "warning_under_review": DisputeState.UNTOUCHED,
    "warning_closed": DisputeState.UNTOUCHED,
    "prevented": DisputeState.UNTOUCHED,
    "needs_response": DisputeState.WITHDRAWN,
    "under_review": DisputeState.WITHDRAWN,
    "won": DisputeState.RETURNED,
    "lost": DisputeState.LOST,
}


def dispute_state(status: str) -> DisputeState:
    """Raises KeyError for a status that this version of Stripe's API does not have."""
    return _DISPUTES[status]


def outcome(status: str) -> Outcome:
    """Raises KeyError for a status that this version of Stripe's API does not have."""
    return _OUTCOMES[status]


def may_be_cancelled(status: str) -> bool:
    """Open at Stripe and not being decided by a bank, which cannot be called off."""
    return _OUTCOMES[status] in (Outcome.OPEN, Outcome.DECIDING) and status != "processing"


def is_abandoned(status: str, expires_at: datetime, now: datetime) -> bool:
    """3-D Secure that nobody answers: Stripe would wait for ever, and the stock with it."""
    return status == "requires_action" and now >= expires_at + AUTHENTICATION_GRACE


def poll_pause(age: timedelta) -> timedelta:
    """How long to wait before asking again: a quarter of the age, within 15 s and 10 minutes."""
    return min(max(age / 4, POLL_SOONEST), POLL_LATEST)


# What staff may see of an event: whom it is about, how it stands, and how much money it is.
_SHOWN: Final = (
    "id",
    "object",
    "status",
    "amount",
    "amount_received",
    "amount_refunded",
    "currency",
    "payment_intent",
    "charge",
    "reason",
    "failure_reason",
    "metadata",
    "created",
)


def safe_part(payload: dict[str, Any]) -> dict[str, Any]:
    """An event's body without what only the customer may know, such as its client secret."""
    about = (payload.get("data") or {}).get("object") or {}
    head = {name: payload[name] for name in ("id", "type", "created") if name in payload}
    shown = {name: about[name] for name in _SHOWN if about.get(name) is not None}
    return {**head, "data": {"object": shown}}


def timestamp_is_near(timestamp: int, now: float) -> bool:
    """Within 300 s on either side; Stripe's library lets any future time pass."""
    return abs(now - timestamp) <= SIGNATURE_TOLERANCE


def resource(url: str) -> str:
    """What a call is about, without ids: `refunds` of `https://api.stripe.com/v1/refunds/re_1`."""
    parts = url.partition("?")[0].split("/v1/", 1)
    return parts[1].split("/")[0] if len(parts) == 2 else "other"

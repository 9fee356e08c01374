"""The one payment state machine. Pure."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Method(StrEnum):
    STRIPE = "stripe"
    CRYPTO = "crypto"
    WALLET = "wallet"


class Status(StrEnum):
    AWAITING = "awaiting"
    PROCESSING = "processing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    EXPIRED = "expired"
    REPLACED = "replaced"
    REVIEW = "review"
    REFUNDED = "refunded"
    REVERSED = "reversed"


class Reason(StrEnum):
    """Why a payment is in review."""

    LATE = "late"
    UNDERPAID = "underpaid"
    OVERPAID = "overpaid"
    MULTIPLE = "multiple"
    WRONG_TOKEN = "wrong_token"  # noqa: S105  # nosec B105  # a reason for review
    REORGED = "reorged"
    STOCK_GONE = "stock_gone"
    DISPUTED = "disputed"
    FRAUD = "fraud"


class RefundStatus(StrEnum):
    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class Source(StrEnum):
    """Where a refund's money is in our books before it goes back."""

    SALE = "sale"
    UNAPPLIED = "unapplied"
    WALLET = "wallet"


class Destination(StrEnum):
    """Where a refund goes: back to where the money came from, or into the customer's wallet."""

    ORIGINAL = "original"
    WALLET = "wallet"


class Resolution(StrEnum):
    """How staff end a review."""

    ACCEPT = "accept"
    REFUND = "refund"


class DisputeStatus(StrEnum):
    OPEN = "open"
    WON = "won"
    LOST = "lost"


# What somebody may want to hear of, and after how many seconds: 3-D Secure only if it lasts.
NEWS: Final[Mapping[Status, int]] = {
    Status.PROCESSING: 120,
    Status.SUCCEEDED: 0,
    Status.FAILED: 0,
    Status.EXPIRED: 0,
    Status.REVIEW: 0,
}
# Most refunds are through by then.
REFUND_NEWS_AFTER: Final = 600
# Money that the provider, or the chain, has taken back until it is decided.
WITHHELD: Final = frozenset({Reason.DISPUTED, Reason.REORGED})
# Reviews that end by a policy; the others are staff's or the bank's to end.
BY_ITSELF: Final = frozenset(
    {Reason.LATE, Reason.UNDERPAID, Reason.OVERPAID, Reason.WRONG_TOKEN, Reason.STOCK_GONE}
)
# Money that bought nothing and goes back by itself.
UNUSED: Final = frozenset({Reason.MULTIPLE, Reason.STOCK_GONE})
OPEN: Final = frozenset({Status.AWAITING, Status.PROCESSING})
GONE: Final = frozenset({Status.FAILED, Status.EXPIRED, Status.REPLACED})

TRANSITIONS: Final[Mapping[Status, frozenset[Status]]] = {
    Status.AWAITING: frozenset({Status.PROCESSING, Status.SUCCEEDED, Status.REVIEW, *GONE}),
    Status.PROCESSING: frozenset({Status.SUCCEEDED, Status.FAILED, Status.REVIEW}),
    Status.SUCCEEDED: frozenset({Status.REFUNDED, Status.REVIEW}),
    Status.FAILED: frozenset({Status.REVIEW}),
    Status.EXPIRED: frozenset({Status.REVIEW}),
    Status.REPLACED: frozenset({Status.REVIEW}),
    Status.REVIEW: frozenset({Status.SUCCEEDED, Status.REFUNDED, Status.REVERSED}),
    Status.REFUNDED: frozenset(),
    Status.REVERSED: frozenset(),
}


def may_become(current: str, wanted: Status) -> bool:
    return wanted in TRANSITIONS[Status(current)]


def source(status: str, reason: str, *, has_order: bool) -> Source:
    """What a refund of a payment takes back: a sale, a deposit, or money that bought nothing."""
    if status == Status.REVIEW and reason not in WITHHELD:
        return Source.UNAPPLIED
    return Source.SALE if has_order else Source.WALLET


def misfit(asked: int, received: int) -> Reason | None:
    """Why a captured amount is not the one that was asked for, if it is not."""
    if received == asked:
        return None
    return Reason.UNDERPAID if received < asked else Reason.OVERPAID

"""What may be wrong with a chain's answers, and with a transaction that a buyer hands in."""

from enum import StrEnum
from typing import Final

from common.errors import Unprocessable
from common.outbox.errors import TryLater


class Reason(StrEnum):
    """Why a transaction does not pay; the `code` of its 422."""

    MALFORMED = "malformed"
    BAD_SIGNATURE = "bad_signature"
    WRONG_CHAIN = "wrong_chain"
    WRONG_RECIPIENT = "wrong_recipient"
    NONCE_TOO_LOW = "nonce_too_low"
    INSUFFICIENT_FUNDS = "insufficient_funds"
    ALREADY_CREDITED = "already_credited"
    REJECTED = "rejected"


TITLES: Final = {
    Reason.MALFORMED: "This is no signed transaction of type 2 in canonical form.",
    Reason.BAD_SIGNATURE: "The signature is out of range, has a high s or recovers no key.",
    Reason.WRONG_CHAIN: "The transaction is signed for another chain.",
    Reason.WRONG_RECIPIENT: "The transaction does not pay this invoice's address.",
    Reason.NONCE_TOO_LOW: "The sender has already used this nonce.",
    Reason.INSUFFICIENT_FUNDS: "The sender's balance does not cover amount and highest fee.",
    Reason.ALREADY_CREDITED: "The transaction has been counted already.",
    Reason.REJECTED: "The chain's node does not take the transaction.",
}


class TransactionRefused(Unprocessable):
    """422 with a code for each reason; `detail` says more where there is more to say."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(detail or TITLES[reason], code=reason.value)
        self.reason = reason


class ChainError(Exception):
    """Base of what the node's answers may come to."""


class Unreachable(ChainError, TryLater):
    """No answer, or one that says nothing about the outcome."""


class BadAnswer(ChainError, TryLater):
    """An answer that is not JSON-RPC, or not of the documented shape; never taken for a value."""


class RpcRefused(ChainError):
    """The node's own error: asking the same again gives the same."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message = code, message


class WrongChain(ChainError):
    """The node serves another chain than CHAIN_ID says: a setting is wrong."""

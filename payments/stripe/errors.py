"""What Stripe may answer, and what clients are told."""

from typing import Any

from common.errors import Conflict, Invalid, PaymentRefused
from common.outbox.errors import TryLater


class CardDeclined(PaymentRefused):
    code = "card_declined"
    title = "The card was declined."


class ConfirmationInProgress(Conflict):
    code = "confirmation_in_progress"
    title = "An earlier confirmation of this payment is still being decided."


class PaymentExpired(Conflict):
    code = "payment_expired"
    title = "The deadline of this payment has passed."


class BadSignature(Invalid):
    code = "bad_signature"
    title = "The signature does not verify."


class ConfirmationRefused(Invalid):
    """Stripe refused the request itself, such as an unknown payment method."""

    code = "payment_method_invalid"
    title = "This payment method cannot be used."


class Declined(Exception):
    """The card's bank said no; another card may be tried."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(error.get("message") or "declined")
        self.error = error


class Refused(Exception):
    """Stripe refused the request: asking the same again gives the same."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


class Unreachable(TryLater):
    """No answer, or one that says nothing about the outcome: ask what happened first."""


class KeySpent(Unreachable):
    """Under this idempotency key Stripe says nothing else for 24 hours: the key is another call's,
    one of an older version of ours with other parameters, say.
    """


class ServerFault(KeySpent):
    """Stripe answered 5xx, and keeps that answer under the key."""


class StillSending(TryLater):
    """Another worker is asking Stripe for the same refund."""


class NotYetKnown(TryLater):
    """An event about something that is not committed here yet; it waits and is tried again."""

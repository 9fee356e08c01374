"""Refusals of the exchange, and what goes wrong at the venue."""

from common.errors import Busy, Conflict, FieldRefused
from common.outbox.errors import TryLater


class UnknownCurrency(FieldRefused):
    code, field = "unknown_currency", "currency"
    title = "This is not for sale here; exchange/currencies/ lists what is."


class TooManyDecimals(FieldRefused):
    code, field = "too_many_decimals", "amount"
    title = "The coin has not so many decimals."


class AboveLimit(FieldRefused):
    code, field = "above_limit", "amount"
    title = "This is more than one order may cost."

    def __init__(self, limit: str = "") -> None:
        super().__init__()
        self.detail = f"{self.detail} The limit is {limit} USD."
        self.extra = {"limit": limit}


class ExchangeClosed(Busy):
    code = "exchange_closed"
    title = "No exchange venue is connected; no orders are taken."


class OutcomeUnknown(Conflict):
    """Money must not go back while the venue may have bought with it."""

    code = "outcome_unknown"
    title = "The venue has been asked and has not answered; ask it first what happened."


class VenueUnreachable(Busy):
    code = "venue_unreachable"
    title = "The exchange venue gives no answer."


class Unreachable(TryLater):
    """No answer, or one that says nothing about the outcome: ask by client_order_id first."""


class StillWorking(TryLater):
    """The venue has taken the order and not filled it yet, or another worker is asking."""


class CurrencyExists(FieldRefused):
    code, field = "currency_exists", "symbol"
    title = "This coin is for sale already."

"""Refusals of the ledger."""

from common.errors import Conflict
from common.money import to_text


class InsufficientFunds(Conflict):
    """Says what there is, so that the caller can ask for less or pay the rest another way."""

    code = "insufficient_funds"
    title = "There is not enough money in the wallet."

    def __init__(self, available: int, currency: str) -> None:
        text = to_text(available, currency)
        super().__init__(
            f"{text} {currency} is available in the wallet.", available=text, currency=currency
        )


class HoldExpired(Conflict):
    code = "hold_expired"
    title = "The time for which the money was held is over."


class ReferenceReused(Conflict):
    """Two different transfers under one reference: a mistake in the code that wrote them."""

    code = "reference_reused"
    title = "This reference stands for another transfer."

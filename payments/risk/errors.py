"""Refusals of purchases that look like fraud, and of what staff allow."""

from common.errors import Conflict, FieldRefused, NotFound


class TooOften(Conflict):
    """Not 429: asking again soon does not help, and an Idempotency-Key keeps the answer."""

    def __init__(self) -> None:
        super().__init__(f"{self.title} Ask the shop if you think this is wrong.")


class TooManyPurchases(TooOften):
    code = "too_many_purchases"
    title = "You have bought too often in a short time."


class TooManyFromAddress(TooOften):
    code = "too_many_from_address"
    title = "Too many purchases came from your network address in a short time."


class NewAccountLimit(TooOften):
    code = "new_account_limit"
    title = "A new account may not buy as often from its wallet."


class NoSuchAllowance(NotFound):
    title = "There is no such entry on the allow-list."


class UnknownUser(FieldRefused):
    code, field = "unknown_user", "user"
    title = "There is no such user."


class NotANetwork(FieldRefused):
    code, field = "not_a_network", "network"
    title = "This is no IP address and no network."

"""What a way to pay must offer, and which ones this shop has."""

from collections.abc import Sequence
from typing import Any, Protocol

from payments.intake.errors import MethodUnavailable
from payments.intake.models import Payment, Refund


class Plain:
    """What a way to pay without terms of its own inherits."""

    def terms(self, token: str | None, refund_address: str = "") -> Any:
        """There is nothing to agree on."""

    def write(self, agreed: Sequence[tuple[Payment, Any]]) -> None:
        """No rows of its own."""

    def returns_to(self, payment: Payment) -> str | None:
        return ""

    def take(self, refund: Refund) -> None:
        """Money is money: it does not matter which of it goes back."""


class Gateway(Protocol):
    """One way to pay. Every method that reaches the outside is called outside transactions."""

    # Names of the outbox tasks of this way to pay, each taking the payment's or refund's key; none
    # where nothing outside has to be asked.
    open_task: str
    close_task: str
    refund_task: str

    def terms(self, token: str | None, refund_address: str = "") -> Any:
        """What is agreed on before anything is written, such as a rate; may ask the outside.

        Raises UnknownToken, RateUnavailable.
        """

    def write(self, agreed: Sequence[tuple[Payment, Any]]) -> None:
        """Rows of its own for new payments, each with its terms, in their transaction."""

    def returns_to(self, payment: Payment) -> str | None:
        """Where money that bought nothing goes by itself: an address, empty for the way it came.

        None: it has no way back, and the customer's wallet takes it.
        """

    def take(self, refund: Refund) -> None:
        """Write down what of the payment's money a new refund takes, whichever way it goes.

        In the refund's transaction, under the payment's lock.
        """

    def open(self, payment_id: int) -> None:
        """Prepare the payment at the provider; gives up quickly, `open_task` makes up for it."""

    def pay_at_once(self, payment: Payment) -> None:
        """Settle in the transaction that opens the payment, where nobody has to be waited for.

        Raises InsufficientFunds.
        """

    def describe(self, payments: Sequence[Payment]) -> dict[int, dict[str, Any]]:
        """What clients need to pay, by payment key; one query for all of them."""


_gateways: dict[str, Gateway] = {}


def register(method: str, gateway: Gateway) -> None:
    _gateways[method] = gateway


def gateway(method: str) -> Gateway:
    """The gateway of a method. Raises MethodUnavailable."""
    if method not in _gateways:
        raise MethodUnavailable(method)
    return _gateways[method]


def gateways() -> dict[str, Gateway]:
    return dict(_gateways)

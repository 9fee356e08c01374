"""What a way to pay must offer, and which ones this shop has."""

from collections.abc import Sequence
from typing import Any, Protocol

from payments.intake.errors import MethodUnavailable
from payments.intake.models import Payment


class Gateway(Protocol):
    """One way to pay. Every method that reaches the outside is called outside transactions."""

    # Names of the outbox tasks of this way to pay, each taking the payment's or refund's key; none
    # where nothing outside has to be asked.
    open_task: str
    close_task: str
    refund_task: str

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

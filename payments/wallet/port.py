"""The wallet as one of intake's gateways."""

from collections.abc import Sequence
from typing import Any

from payments.intake import services as machine
from payments.intake.models import Payment
from payments.intake.ports import Plain
from payments.intake.services import Capture


class WalletGateway(Plain):
    open_task = close_task = refund_task = ""

    def open(self, payment_id: int) -> None:
        """There is nothing to prepare."""

    def pay_at_once(self, payment: Payment) -> None:
        """Take the money now, or let the order not happen. Raises InsufficientFunds."""
        capture = Capture(payment.amount, payment.currency, str(payment.uid))
        machine.payment_settle(payment_id=payment.pk, capture=capture)

    def describe(self, payments: Sequence[Payment]) -> dict[int, dict[str, Any]]:
        return {}

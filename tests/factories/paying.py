"""Payments with a page, and a way to pay in coins that asks nobody."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from common import clock
from payments.intake.models import Payment

ADDRESS = "0x52908400098527886E0F7030069857D2E4169EE7"
WEI = 20_000_000_000_000_000


class CoinsFake:
    """Describes every payment as `details`, which a test changes as the chain would."""

    open_task = close_task = refund_task = ""

    def __init__(self) -> None:
        self.details: dict[str, Any] | None = {
            "token": "ETH",
            "chain_id": 31337,
            "address": ADDRESS,
            "amount": "0.02",
            "amount_base_units": str(WEI),
            "rate": "3500",
            "source": "simulated",
            "quoted_at": "2026-01-01T00:00:00Z",
            "expires_at": "2026-01-01T00:15:00Z",
            "confirmations_required": 6,
            "confirmations": 0,
            "received_base_units": "0",
            "payment_uri": f"ethereum:{ADDRESS}@31337?value={WEI}",
        }

    def open(self, payment_id: int) -> None: ...

    def pay_at_once(self, payment: Payment) -> None: ...

    def describe(self, payments: Sequence[Payment]) -> dict[int, dict[str, Any]]:
        details = self.details
        return {} if details is None else {payment.pk: details for payment in payments}


def a_payment(user: Any, method: str = "crypto", **fields: Any) -> Payment:
    """A payment of $70.00 that belongs to no order, for a quarter of an hour."""
    made = {"amount": 7000, "currency": "USD", "expires_at": clock.now() + timedelta(minutes=15)}
    return Payment.objects.create(user=user, method=method, **(made | fields))


def stamped(payment: Payment, **fields: Any) -> Payment:
    """The payment with these columns, whatever its history says."""
    Payment.objects.filter(pk=payment.pk).update(**fields)
    payment.refresh_from_db()
    return payment

"""Coins as one of intake's gateways."""

from collections.abc import Sequence
from typing import Any

from payments.crypto import selectors, services
from payments.intake.models import Payment, Refund


class CryptoGateway:
    open_task = close_task = ""
    refund_task = "payments.crypto.send_refund"

    def terms(self, token: str | None, refund_address: str = "") -> services.Terms:
        """A rate that is locked for this payment. Raises UnknownToken, RateUnavailable."""
        return services.terms(token=token, refund_address=refund_address)

    def write(self, agreed: Sequence[tuple[Payment, Any]]) -> None:
        for payment, terms in agreed:
            services.invoice_create(payment=payment, terms=terms)

    def returns_to(self, payment: Payment) -> str | None:
        """Where the buyer wants it: coins often come from an exchange's address, not their own."""
        invoice = selectors.invoice(payment.pk)
        return (invoice.refund_address or None) if invoice else None

    def take(self, refund: Refund) -> None:
        services.shares_take(refund=refund)

    def open(self, payment_id: int) -> None:
        """The address is made without asking anybody."""

    def pay_at_once(self, payment: Payment) -> None:
        """Coins come when they come."""

    def describe(self, payments: Sequence[Payment]) -> dict[int, dict[str, Any]]:
        return selectors.details(payments)

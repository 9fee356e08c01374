"""Stripe as one of intake's gateways."""

import logging
from collections.abc import Sequence
from typing import Any

from payments.intake.models import Payment
from payments.intake.ports import Plain
from payments.stripe import selectors, services
from payments.stripe.errors import Unreachable

logger = logging.getLogger(__name__)


class StripeGateway(Plain):
    open_task = "payments.stripe.open_intent"
    close_task = "payments.stripe.cancel_intent"
    refund_task = "payments.stripe.send_refund"

    def open(self, payment_id: int) -> None:
        """Make the intent now; the order stands whether or not Stripe answers."""
        try:
            services.intent_ensure(payment_id=payment_id)
        except Unreachable as error:
            logger.warning("stripe.intent_not_opened", extra={"error": str(error)})

    def pay_at_once(self, payment: Payment) -> None:
        """A card is asked for by `confirm`, or in the browser."""

    def describe(self, payments: Sequence[Payment]) -> dict[int, dict[str, Any]]:
        return selectors.details(payments)

"""The only place that locks confirm attempts; after their payment."""

from payments.stripe.models import StripeAttempt


def open_attempt(payment_id: int) -> StripeAttempt | None:
    """The attempt whose outcome is unknown, if any."""
    return StripeAttempt.objects.select_for_update().filter(open_for=payment_id).first()

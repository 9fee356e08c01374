"""Bodies of the Stripe routes."""

from common.api.serializers import StrictCharField, StrictSerializer


class ConfirmIn(StrictSerializer):
    payment_method = StrictCharField(max_length=64)

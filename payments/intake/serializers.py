"""Payments and refunds as clients see them."""

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from common.api.serializers import (
    AMOUNT,
    CursorQuery,
    MoneyField,
    StrictBooleanField,
    StrictCharField,
    StrictIntegerField,
    StrictSerializer,
)
from common.money import to_text
from payments.intake.models import Payment, Refund
from payments.intake.rules import (
    Destination,
    Method,
    Reason,
    RefundStatus,
    Resolution,
    Status,
)

METHODS = [method.value for method in Method]
STATUSES = [status.value for status in Status]
DESTINATIONS = [destination.value for destination in Destination]
REFUND_STATUSES = [status.value for status in RefundStatus]


class StripeDetails(serializers.Serializer[Any]):
    payment_intent = serializers.CharField()
    client_secret = serializers.CharField()
    publishable_key = serializers.CharField(allow_blank=True)


class PaymentError(serializers.Serializer[Any]):
    """Why the last card was declined, in Stripe's words."""

    code = serializers.CharField(allow_null=True)
    decline_code = serializers.CharField(allow_null=True, required=False)
    message = serializers.CharField(allow_null=True, required=False)


class PaymentOut(serializers.Serializer[Payment]):
    """A payment; `stripe` is null until Stripe has answered."""

    id = serializers.UUIDField(source="uid")
    order = serializers.SerializerMethodField()
    method = serializers.ChoiceField(METHODS)
    status = serializers.ChoiceField(STATUSES)
    reason = serializers.SerializerMethodField()
    amount = serializers.SerializerMethodField()
    currency = serializers.CharField()
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    captured_amount = serializers.SerializerMethodField()
    refunded_amount = serializers.SerializerMethodField()
    last_error = PaymentError(allow_null=True)
    stripe = serializers.SerializerMethodField()

    def get_order(self, payment: Payment) -> str | None:
        return payment.order.number if payment.order else None

    # Not a ChoiceField: its enum in the document would leave null out.
    @extend_schema_field(
        {"oneOf": [{"type": "string", "enum": [r.value for r in Reason]}, {"type": "null"}]}
    )
    def get_reason(self, payment: Payment) -> str | None:
        return payment.reason or None

    @extend_schema_field(AMOUNT)
    def get_amount(self, payment: Payment) -> str:
        return to_text(payment.amount, payment.currency)

    @extend_schema_field(AMOUNT)
    def get_captured_amount(self, payment: Payment) -> str:
        return to_text(payment.captured, payment.currency)

    @extend_schema_field(AMOUNT)
    def get_refunded_amount(self, payment: Payment) -> str:
        return to_text(payment.refunded, payment.currency)

    @extend_schema_field(StripeDetails(allow_null=True))
    def get_stripe(self, payment: Payment) -> dict[str, Any] | None:
        found: dict[str, Any] | None = self.context["details"].get(payment.pk)
        return found if payment.method == Method.STRIPE else None


class PaymentQuery(CursorQuery):
    status = serializers.ChoiceField(STATUSES, required=False)
    method = serializers.ChoiceField(METHODS, required=False)


class RefundLineOut(serializers.Serializer[Any]):
    product = serializers.CharField(source="order_line.product.slug")
    quantity = serializers.IntegerField()
    amount = MoneyField()


class RefundOut(serializers.Serializer[Refund]):
    id = serializers.UUIDField(source="uid")
    payment = serializers.UUIDField(source="payment.uid")
    order = serializers.SerializerMethodField()
    status = serializers.ChoiceField(REFUND_STATUSES)
    amount = serializers.SerializerMethodField()
    currency = serializers.CharField()
    destination = serializers.CharField()
    restock = serializers.BooleanField()
    reason = serializers.CharField()
    failure = serializers.CharField(allow_blank=True)
    lines = RefundLineOut(many=True)
    created_at = serializers.DateTimeField()
    decided_at = serializers.DateTimeField(allow_null=True)

    def get_order(self, refund: Refund) -> str | None:
        return refund.payment.order.number if refund.payment.order else None

    @extend_schema_field(AMOUNT)
    def get_amount(self, refund: Refund) -> str:
        return to_text(refund.amount, refund.currency)


class RefundLineIn(StrictSerializer):
    example: ClassVar = {"product": "desk-lamp", "quantity": 1}

    product = StrictCharField(max_length=100)
    quantity = StrictIntegerField(min_value=1, max_value=10_000)


class RefundIn(StrictSerializer):
    """Without `amount` and `lines`: all that is left."""

    example: ClassVar = {"amount": "10.00", "reason": "arrived scratched"}

    amount = MoneyField(required=False)
    # The stubs do not know the bounds that `many=True` takes.
    lines = RefundLineIn(many=True, required=False, max_length=100, allow_empty=False)  # type: ignore[call-arg]
    restock = StrictBooleanField(default=False)
    destination = serializers.ChoiceField(DESTINATIONS, default=Destination.ORIGINAL.value)
    reason = StrictCharField(max_length=200)


class ResolveIn(StrictSerializer):
    """`destination` goes with `refund`."""

    example: ClassVar = {"resolution": "accept", "note": "a cent short; agreed with the buyer"}

    resolution = serializers.ChoiceField([resolution.value for resolution in Resolution])
    destination = serializers.ChoiceField(DESTINATIONS, default=Destination.ORIGINAL.value)
    note = StrictCharField(max_length=200)

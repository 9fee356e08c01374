"""Payments and refunds as clients see them."""

from typing import Any, ClassVar

from django.conf import settings
from django.urls import reverse
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
from payments.chain.rules import addresses
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


class CoinTransfer(serializers.Serializer[Any]):
    """A transfer that the chain has to the payment's address."""

    tx_hash = serializers.CharField()
    token = serializers.CharField()
    amount_base_units = serializers.CharField()
    confirmations = serializers.IntegerField()


class CryptoDetails(serializers.Serializer[Any]):
    """What to send where. Amounts in base units are whole numbers, as text."""

    token = serializers.CharField()
    chain_id = serializers.IntegerField()
    contract = serializers.CharField(allow_null=True, help_text="Null for the chain's own coin.")
    address = serializers.CharField(help_text="Of this payment alone; EIP-55.")
    amount = serializers.CharField()
    amount_base_units = serializers.CharField()
    rate = serializers.CharField(help_text="USD for one token, locked for this payment.")
    source = serializers.CharField()  # type: ignore[assignment]  # the base has one of that name
    quoted_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    watched_until = serializers.DateTimeField(help_text="Coins are noticed until then.")
    confirmations_required = serializers.IntegerField()
    confirmations = serializers.IntegerField(help_text="Of the newest of its transfers.")
    received_base_units = serializers.CharField()
    remaining_base_units = serializers.CharField()
    payment_uri = serializers.CharField(help_text="EIP-681; asks for what is missing.")
    refund_address = serializers.CharField(allow_null=True)
    transactions = CoinTransfer(many=True)


class PaymentError(serializers.Serializer[Any]):
    """Why the last card was declined, in Stripe's words."""

    code = serializers.CharField(allow_null=True)
    decline_code = serializers.CharField(allow_null=True, required=False)
    message = serializers.CharField(allow_null=True, required=False)


class PaymentOut(serializers.Serializer[Payment]):
    """A payment; `stripe` is null until Stripe has answered, `crypto` where it is another way."""

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
    page = serializers.SerializerMethodField()
    stripe = serializers.SerializerMethodField()
    crypto = serializers.SerializerMethodField()

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

    @extend_schema_field(
        serializers.URLField(help_text="Where a person pays it in a browser, without signing in.")
    )
    def get_page(self, payment: Payment) -> str:
        return page_of(payment)

    @extend_schema_field(StripeDetails(allow_null=True))
    def get_stripe(self, payment: Payment) -> dict[str, Any] | None:
        return self._detail(payment, Method.STRIPE)

    @extend_schema_field(CryptoDetails(allow_null=True))
    def get_crypto(self, payment: Payment) -> dict[str, Any] | None:
        return self._detail(payment, Method.CRYPTO)

    def _detail(self, payment: Payment, method: Method) -> dict[str, Any] | None:
        found: dict[str, Any] | None = self.context["details"].get(payment.pk)
        return found if payment.method == method else None


def page_of(payment: Payment) -> str:
    """The whole address of the payment's page."""
    return f"{settings.PUBLIC_URL.rstrip('/')}{reverse('pay', args=[payment.uid])}"


class PaymentQuery(CursorQuery):
    status = serializers.ChoiceField(STATUSES, required=False)
    method = serializers.ChoiceField(METHODS, required=False)


class RefundLineOut(serializers.Serializer[Any]):
    product = serializers.CharField(source="order_line.product.slug")
    quantity = serializers.IntegerField()
    amount = MoneyField()


class AddressField(StrictCharField):
    """An address of the chain: in one case, or in both with the checksum of EIP-55."""

    default_error_messages: ClassVar = {
        "invalid_address": "This is no address of the chain, or its checksum is wrong."
    }

    def to_internal_value(self, data: Any) -> str:
        try:
            return addresses.normal(super().to_internal_value(data))
        except ValueError:
            self.fail("invalid_address")


class RefundOut(serializers.Serializer[Refund]):
    id = serializers.UUIDField(source="uid")
    payment = serializers.UUIDField(source="payment.uid")
    order = serializers.SerializerMethodField()
    status = serializers.ChoiceField(REFUND_STATUSES)
    amount = serializers.SerializerMethodField()
    currency = serializers.CharField()
    destination = serializers.CharField()
    to_address = serializers.SerializerMethodField()
    restock = serializers.BooleanField()
    reason = serializers.CharField()
    failure = serializers.CharField(allow_blank=True)
    lines = RefundLineOut(many=True)
    created_at = serializers.DateTimeField()
    decided_at = serializers.DateTimeField(allow_null=True)

    def get_order(self, refund: Refund) -> str | None:
        return refund.payment.order.number if refund.payment.order else None

    def get_to_address(self, refund: Refund) -> str | None:
        return refund.to_address or None

    @extend_schema_field(AMOUNT)
    def get_amount(self, refund: Refund) -> str:
        return to_text(refund.amount, refund.currency)


class RefundLineIn(StrictSerializer):
    example: ClassVar = {"product": "desk-lamp", "quantity": 1}

    product = StrictCharField(max_length=100)
    quantity = StrictIntegerField(min_value=1, max_value=10_000)


class RefundIn(StrictSerializer):
    """Without `amount` and `lines`: all that is left. Coins go to `to_address`."""

    example: ClassVar = {"amount": "10.00", "reason": "arrived scratched"}

    amount = MoneyField(required=False)
    # The stubs do not know the bounds that `many=True` takes.
    lines = RefundLineIn(many=True, required=False, max_length=100, allow_empty=False)  # type: ignore[call-arg]
    restock = StrictBooleanField(default=False)
    destination = serializers.ChoiceField(DESTINATIONS, default=Destination.ORIGINAL.value)
    to_address = AddressField(max_length=42, required=False)
    reason = StrictCharField(max_length=200)


class ResolveIn(StrictSerializer):
    """`destination` goes with `refund`, and coins go to `to_address`."""

    example: ClassVar = {"resolution": "accept", "note": "a cent short; agreed with the buyer"}

    resolution = serializers.ChoiceField([resolution.value for resolution in Resolution])
    destination = serializers.ChoiceField(DESTINATIONS, default=Destination.ORIGINAL.value)
    to_address = AddressField(max_length=42, required=False)
    note = StrictCharField(max_length=200)

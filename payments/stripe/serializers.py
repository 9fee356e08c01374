"""Bodies of the Stripe routes."""

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from common.api.serializers import CursorQuery, StrictCharField, StrictSerializer
from payments.stripe import rules
from payments.stripe.models import WebhookEvent

STATES = [state.value for state in WebhookEvent.State]


class ConfirmIn(StrictSerializer):
    example: ClassVar = {"payment_method": "pm_card_visa"}

    payment_method = StrictCharField(max_length=64)


class EventQuery(CursorQuery):
    state = serializers.ChoiceField(STATES, required=False)
    kind = StrictCharField(max_length=64, required=False)


class WebhookEventOut(serializers.Serializer[WebhookEvent]):
    """An event of Stripe's; `error` says why its last attempt failed, or why it was ignored."""

    id = serializers.CharField(source="event_id")
    kind = serializers.CharField()
    state = serializers.ChoiceField(STATES)
    error = serializers.CharField(allow_blank=True)
    attempts = serializers.IntegerField()
    received_at = serializers.DateTimeField()
    processed_at = serializers.DateTimeField(allow_null=True)


class WebhookEventDetailOut(WebhookEventOut):
    """With the part of its body that nobody can pay with."""

    payload = serializers.SerializerMethodField()

    @extend_schema_field({"type": "object", "additionalProperties": True})
    def get_payload(self, event: WebhookEvent) -> dict[str, Any]:
        return rules.safe_part(event.payload)

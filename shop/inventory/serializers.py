"""Stock and its movements as staff see them."""

from typing import Any, ClassVar

from rest_framework import serializers

from common.api.serializers import StrictCharField, StrictIntegerField, StrictSerializer
from shop.inventory.models import StockMovement

MAX_UNITS = 1_000_000


class StockIn(StrictSerializer):
    """Either `delta`, or `set` after a count."""

    example: ClassVar = {"delta": 10, "reason": "delivery of 5 October"}

    default_error_messages = {
        "delta_or_set": "Give either delta or set.",
        "zero": "Zero changes nothing.",
    }

    delta = StrictIntegerField(min_value=-MAX_UNITS, max_value=MAX_UNITS, required=False)
    reason = StrictCharField(max_length=200)

    def get_fields(self) -> dict[str, Any]:
        # As a class attribute `set` would hide the builtin from the rest of the class body.
        field = StrictIntegerField(min_value=0, max_value=MAX_UNITS, required=False)
        return {**super().get_fields(), "set": field}

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("delta" in attrs) == ("set" in attrs):
            self.fail("delta_or_set")
        if attrs.get("delta") == 0:
            raise serializers.ValidationError({"delta": self.error_messages["zero"]}, code="zero")
        return attrs


class MovementOut(serializers.Serializer[StockMovement]):
    kind = serializers.ChoiceField(StockMovement.Kind.values)
    delta = serializers.IntegerField()
    reason = serializers.CharField(allow_blank=True)
    order = serializers.SerializerMethodField()
    actor = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField()

    def get_order(self, movement: StockMovement) -> str | None:
        return movement.order_line.order.number if movement.order_line else None

    def get_actor(self, movement: StockMovement) -> str | None:
        return movement.actor.username if movement.actor else None


class StockOut(serializers.Serializer[Any]):
    """Stock after a change; `movement` is null where the count agreed already."""

    product = serializers.CharField(source="stock.product.slug")
    on_hand = serializers.IntegerField(source="stock.on_hand")
    held = serializers.IntegerField(source="stock.held")
    available = serializers.IntegerField(source="stock.available")
    movement = MovementOut(allow_null=True)

"""The allow-list as staff write and see it."""

from typing import Any, ClassVar

from rest_framework import serializers

from common.api.serializers import StrictCharField, StrictSerializer


class AllowanceIn(StrictSerializer):
    """Either `user`, by id, or `network`: an address or a network."""

    example: ClassVar = {"network": "192.0.2.0/24", "reason": "The university's hall"}

    default_error_messages = {"one_of": "Give a user or a network, and not both."}

    user = serializers.UUIDField(required=False)
    network = StrictCharField(max_length=50, required=False)
    reason = StrictCharField(max_length=200)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("user" in attrs) == ("network" in attrs):
            message = self.error_messages["one_of"]
            raise serializers.ValidationError({"user": message}, code="one_of")
        return attrs


class AllowanceOut(serializers.Serializer[Any]):
    """One entry of the allow-list; `user` is null for a network, `network` for a user."""

    id = serializers.UUIDField(source="uid")
    user = serializers.UUIDField(source="user.uid", default=None, allow_null=True)
    network = serializers.CharField(allow_null=True)
    reason = serializers.CharField()
    created_at = serializers.DateTimeField()

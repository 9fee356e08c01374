"""Exports on their way over HTTP."""

from typing import Any, ClassVar, Final

from rest_framework import serializers

from common.api.serializers import CursorQuery, StrictCharField, StrictSerializer
from payments.exports.rules import Kind, Status, percent

KINDS: Final = [kind.value for kind in Kind]
STATUSES: Final = [status.value for status in Status]


class FiltersIn(StrictSerializer):
    """`from` inclusive, `to` exclusive: what grows with time needs both, up to ten years apart."""

    to = serializers.DateTimeField(required=False)
    status = StrictCharField(max_length=20, required=False)

    def get_fields(self) -> dict[str, Any]:
        # `from` is a Python keyword, so that no class attribute can have this name.
        return {"from": serializers.DateTimeField(required=False), **super().get_fields()}


class ExportIn(StrictSerializer):
    example: ClassVar = {
        "kind": "orders",
        "filters": {"from": "2026-10-01T00:00:00Z", "to": "2026-11-01T00:00:00Z"},
    }

    kind = serializers.ChoiceField(KINDS)
    filters = FiltersIn(required=False)


class ExportQuery(CursorQuery):
    kind = serializers.ChoiceField(KINDS, required=False)
    status = serializers.ChoiceField(STATUSES, required=False)


class FiltersOut(serializers.Serializer[Any]):
    to = serializers.DateTimeField(required=False)
    status = serializers.CharField(required=False)

    def get_fields(self) -> dict[str, Any]:
        return {"from": serializers.DateTimeField(required=False), **super().get_fields()}

    def to_representation(self, instance: dict[str, str]) -> dict[str, str]:
        return {name: value.replace("+00:00", "Z") for name, value in instance.items()}


class ExportOut(serializers.Serializer[Any]):
    """A file that is being made; `progress` in percent is 100 once it can be fetched."""

    id = serializers.UUIDField(source="uid")
    kind = serializers.ChoiceField(KINDS)
    filters = FiltersOut()
    status = serializers.ChoiceField(STATUSES)
    progress = serializers.SerializerMethodField()
    rows_done = serializers.IntegerField()
    rows_total = serializers.IntegerField(allow_null=True, help_text="Null until it is counted.")
    size = serializers.IntegerField(help_text="In bytes, of what is there.")
    actor = serializers.SerializerMethodField(help_text="User name of who asked for it.")
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)
    expires_at = serializers.DateTimeField(allow_null=True)

    def get_progress(self, export: Any) -> int:
        return percent(export.status, export.rows_done, export.rows_total)

    def get_actor(self, export: Any) -> str | None:
        return export.actor.username if export.actor else None

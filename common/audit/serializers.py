"""The audit log as staff see it."""

from typing import Any

from rest_framework import serializers

from common.api.serializers import CursorQuery, StrictCharField


class AuditQuery(CursorQuery):
    action = StrictCharField(max_length=64, required=False)
    target = StrictCharField(max_length=128, required=False)


class AuditEntryOut(serializers.Serializer[Any]):
    """One act; `actor` is a username, null for the shop itself; `batch` once it is sealed."""

    actor = serializers.SerializerMethodField()
    action = serializers.CharField()
    target = serializers.CharField()
    details = serializers.JSONField(source="data")
    request_id = serializers.CharField(allow_blank=True)
    created_at = serializers.DateTimeField()
    batch = serializers.SerializerMethodField()

    def get_actor(self, entry: Any) -> str | None:
        names: dict[int, str] = self.context["actors"]
        return names.get(entry.actor_id)

    def get_batch(self, entry: Any) -> int | None:
        return entry.seal.batch_id if hasattr(entry, "seal") else None

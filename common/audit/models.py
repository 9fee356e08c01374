"""What staff did and where money went: append-only, chained in batches.

Nothing here is ever updated or deleted; sealing inserts rows beside the entries, so that the
application's database user needs no right to change them.
"""

from django.db import models
from django.db.models.functions import Now

from common.append_only import AppendOnly


class AuditEntry(AppendOnly):
    """One act. `data` holds what changed, never secrets or personal data beyond the actor."""

    actor_id = models.BigIntegerField(null=True)
    action = models.CharField(max_length=64)
    target = models.CharField(max_length=128)
    data = models.JSONField(default=dict)
    request_id = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = [
            models.Index(fields=["target", "-id"], name="audit_by_target"),
            models.Index(fields=["actor_id", "-id"], name="audit_by_actor"),
        ]
        verbose_name_plural = "audit entries"

    def __str__(self) -> str:
        return f"{self.action} {self.target}"


class AuditBatch(AppendOnly):
    """A link of the chain: the hash of its entries and of the batch before it."""

    number = models.BigIntegerField(primary_key=True)
    entries = models.PositiveIntegerField()
    previous = models.CharField(max_length=64)
    digest = models.CharField(max_length=64, unique=True)
    sealed_at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name_plural = "audit batches"

    def __str__(self) -> str:
        return f"{self.number}: {self.digest}"


class AuditSeal(AppendOnly):
    """Which batch an entry is in; entries commit out of order, so that no range of keys says it."""

    entry = models.OneToOneField(AuditEntry, models.PROTECT, primary_key=True, related_name="seal")
    batch = models.ForeignKey(AuditBatch, models.PROTECT, related_name="seals")

    def __str__(self) -> str:
        return f"{self.entry_id} in {self.batch_id}"

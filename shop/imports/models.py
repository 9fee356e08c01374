"""What was imported, by whom, and what it did."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now


class ProductImport(models.Model):
    """A file that was taken, or whose taking was tried out (`dry_run`).

    `report` has what became of each row that changed something, up to a limit; the counts are of
    all rows. `content` is the compressed file of a trial that somebody may still carry out;
    `carried_out_at` and `carried_out_by` say that somebody has.
    """

    uid = models.UUIDField(default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=200)
    digest = models.CharField(max_length=64)
    dry_run = models.BooleanField()
    rows = models.PositiveIntegerField()
    created = models.PositiveIntegerField()
    changed = models.PositiveIntegerField()
    unchanged = models.PositiveIntegerField()
    report = models.JSONField(default=list)
    content = models.BinaryField(null=True)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())
    carried_out_at = models.DateTimeField(null=True)
    carried_out_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["uid"], name="product_import_uid_once"),
            models.CheckConstraint(
                condition=Q(rows=F("created") + F("changed") + F("unchanged")),
                name="product_import_adds_up",
            ),
            models.CheckConstraint(
                condition=Q(content=None) | Q(dry_run=True), name="product_import_keeps_trials"
            ),
            models.CheckConstraint(
                condition=Q(carried_out_at=None) | Q(dry_run=True),
                name="product_import_carries_out_trials",
            ),
        ]
        indexes = [models.Index(fields=["dry_run", "created_at"], name="product_import_by_age")]

    def __str__(self) -> str:
        return f"{self.name} ({self.created_at:%Y-%m-%d %H:%M})"

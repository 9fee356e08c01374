"""Exports, and the pieces that their files are made of."""

import uuid
from enum import StrEnum

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from payments.exports.rules import OPEN, Kind, Status


def _choices(kind: type[StrEnum]) -> list[tuple[str, str]]:
    return [(each.value, each.value) for each in kind]


class Export(models.Model):
    """A file that somebody asked for.

    Rows are read by primary key: those up to `position` are in its pieces, `last` is where it ends,
    fixed when it begins. A worker that takes it over goes on behind `position`.
    """

    uid = models.UUIDField(default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=20, choices=_choices(Kind))
    # As they were asked for: `from`, `to` (moments), `status`.
    filters = models.JSONField(default=dict)
    status = models.CharField(max_length=8, choices=_choices(Status), default=Status.PENDING)
    rows_total = models.PositiveBigIntegerField(null=True)
    rows_done = models.PositiveBigIntegerField(default=0)
    position = models.PositiveBigIntegerField(default=0)
    last = models.PositiveBigIntegerField(default=0)
    pieces = models.PositiveIntegerField(default=0)
    # Of the whole file, in bytes.
    size = models.PositiveBigIntegerField(default=0)
    failures = models.PositiveSmallIntegerField(default=0)
    problem = models.CharField(max_length=100, blank=True)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["uid"], name="export_uid_once"),
            models.CheckConstraint(
                condition=Q(status=Status.PENDING, rows_total=None, started_at=None)
                | Q(status=Status.FAILED)
                | (~Q(status=Status.PENDING) & Q(rows_total__isnull=False)),
                name="export_knows_its_rows",
            ),
            # Whole, or not there: nothing else may be fetched.
            models.CheckConstraint(
                condition=Q(status__in=[Status.DONE, Status.EXPIRED], rows_done=F("rows_total"))
                | Q(status__in=[*OPEN, Status.FAILED]),
                name="export_done_is_whole",
            ),
            models.CheckConstraint(
                condition=Q(status__in=OPEN, finished_at=None, expires_at=None)
                | (~Q(status__in=OPEN) & Q(finished_at__isnull=False, expires_at__isnull=False)),
                name="export_finished_expires",
            ),
        ]
        indexes = [
            models.Index(fields=["expires_at"], name="export_by_expiry"),
            models.Index(fields=["actor", "status"], name="export_by_actor"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.uid}"


class ExportPiece(models.Model):
    """So many rows of a file in their order, compressed; `size` is what they come to."""

    export = models.ForeignKey(Export, models.CASCADE, related_name="parts")
    number = models.PositiveIntegerField()
    rows = models.PositiveIntegerField()
    size = models.PositiveIntegerField()
    content = models.BinaryField()

    class Meta:
        constraints = [
            # The backstop against the same rows twice in a file.
            models.UniqueConstraint(fields=["export", "number"], name="export_piece_once"),
        ]

    def __str__(self) -> str:
        return f"{self.export_id}/{self.number}"

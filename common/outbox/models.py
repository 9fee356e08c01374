"""Work that must happen after a commit, written in the same transaction as what caused it."""

from django.db import models
from django.db.models.functions import Now


class OutboxMessage(models.Model):
    """One call of one Celery task; done when the task has finished, not when it was sent."""

    task = models.CharField(max_length=128)
    payload = models.JSONField(default=dict)
    request_id = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    next_attempt_at = models.DateTimeField(db_default=Now())
    sent_at = models.DateTimeField(null=True)
    attempts = models.PositiveIntegerField(default=0)
    last_error = models.CharField(max_length=200, blank=True)
    done_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["done_at", "next_attempt_at"], name="outbox_due")]

    def __str__(self) -> str:
        return f"{self.task} #{self.pk}"

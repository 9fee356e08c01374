"""What a client's Idempotency-Key stands for."""

from django.db import models
from django.db.models.functions import Now


class IdempotencyRecord(models.Model):
    """One key of one user on one route, for 24 hours.

    `running` until the answer is known; `done` points at the object that was made (bound in the
    object's own transaction); `refused` keeps the problem document of a business refusal.
    """

    class State(models.TextChoices):
        RUNNING = "running"
        DONE = "done"
        REFUSED = "refused"

    user_id = models.BigIntegerField()
    route = models.CharField(max_length=200)
    key_hash = models.CharField(max_length=64)
    body_hash = models.CharField(max_length=64)
    state = models.CharField(max_length=8, choices=State, default=State.RUNNING)
    claim = models.CharField(max_length=32)
    claimed_at = models.DateTimeField(db_default=Now())
    created_at = models.DateTimeField(db_default=Now(), db_index=True)
    status = models.PositiveSmallIntegerField(null=True)
    object_ref = models.CharField(max_length=64, blank=True)
    problem = models.JSONField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["user_id", "route", "key_hash"], name="idempotency_key_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.route} {self.state}"

"""Sessions as families of refresh tokens."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now


class RefreshFamily(models.Model):
    """One sign-in and every token descended from it.

    Only `current_jti` (the SHA-256 of the newest refresh token's id) may refresh. A family that
    was revoked never lives again.
    """

    class Reason(models.TextChoices):
        LOGOUT = "logout"
        REUSED = "reused"
        DEACTIVATED = "deactivated"
        PASSWORD = "password"  # noqa: S105  # nosec B105  # why a family ended

    uid = models.UUIDField(default=uuid.uuid4)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="families")
    current_jti = models.CharField(max_length=64)
    created_at = models.DateTimeField(db_default=Now())
    rotated_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)
    # No `choices` in the column: a new reason needs no migration.
    revoked_reason = models.CharField(max_length=20, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["uid"], name="refresh_family_uid_once"),
            models.CheckConstraint(
                condition=Q(revoked_at=None, revoked_reason="")
                | Q(revoked_at__isnull=False) & ~Q(revoked_reason=""),
                name="refresh_family_revoked_with_reason",
            ),
        ]
        indexes = [models.Index(fields=["expires_at"], name="refresh_family_expiry")]

    def __str__(self) -> str:
        return str(self.uid)

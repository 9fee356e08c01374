"""Who was found to buy too often, which cards paid for whom, and whom staff let through."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from payments.risk.rules import Action, Rule


class RiskHit(models.Model):
    """A rule that a user has broken; one for each window, not for each try.

    While `held_until` has not come, money for that user's flash purchases goes into review.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    rule = models.CharField(max_length=12, choices=[(r.value, r.value) for r in Rule])
    action = models.CharField(max_length=6, choices=[(a.value, a.value) for a in Action])
    held_until = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(action=Action.REVIEW, held_until__isnull=False)
                | Q(action=Action.REFUSE, held_until=None),
                name="risk_hit_held_for_review",
            ),
        ]
        indexes = [models.Index(fields=["user", "held_until"], name="risk_hit_by_user")]

    def __str__(self) -> str:
        return f"{self.rule}: {self.action}"


class CardUse(models.Model):
    """A card that paid for a flash purchase of a user; `card` is a keyed digest of its print."""

    card = models.CharField(max_length=64)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    used_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["card", "user"], name="risk_card_user_once"),
        ]

    def __str__(self) -> str:
        return f"{self.card[:8]}…"


class RiskAllowance(models.Model):
    """Somebody whom no rule stops: a user, or whoever comes from a network."""

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    network = models.CharField(max_length=50, null=True, blank=True, unique=True)
    reason = models.CharField(max_length=200)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(user=None, network__isnull=False) | Q(user__isnull=False, network=None),
                name="risk_allowance_of_one",
            ),
        ]

    def __str__(self) -> str:
        return self.network or str(self.user)

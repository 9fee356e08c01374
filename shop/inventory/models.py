"""Stock as a table of its own, its append-only movements, and holds."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from common.append_only import AppendOnly


class Stock(models.Model):
    """Units of one product: `on_hand` in the house, `held` of them promised to open orders."""

    product = models.OneToOneField(
        "shop.Product", models.PROTECT, primary_key=True, related_name="stock"
    )
    on_hand = models.IntegerField(default=0)
    held = models.IntegerField(default=0)
    # For queries alone: of which products few are left, without a look at each.
    left = models.GeneratedField(
        expression=F("on_hand") - F("held"), output_field=models.IntegerField(), db_persist=False
    )

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(held__gte=0), name="stock_held_not_negative"),
            # The backstop against overselling: available = on hand - held never goes below zero.
            models.CheckConstraint(condition=Q(on_hand__gte=F("held")), name="stock_not_oversold"),
        ]
        indexes = [models.Index(fields=["left"], name="stock_by_left")]
        verbose_name_plural = "stock"

    def __str__(self) -> str:
        return f"{self.available} available"

    @property
    def available(self) -> int:
        return self.on_hand - self.held


class StockMovement(AppendOnly):
    """A change of `on_hand`, never edited: on hand is the sum of its movements."""

    class Kind(models.TextChoices):
        RECEIVED = "received"
        ADJUSTED = "adjusted"
        SOLD = "sold"
        RESTOCKED = "restocked"
        TO_RUN = "to_run", "moved to a flash run"
        FROM_RUN = "from_run", "moved back from a flash run"

    stock = models.ForeignKey(Stock, models.PROTECT, related_name="movements")
    kind = models.CharField(max_length=12, choices=Kind)
    delta = models.IntegerField()
    reason = models.CharField(max_length=200, blank=True)
    order_line = models.ForeignKey(
        "shop.OrderLine", models.PROTECT, null=True, blank=True, related_name="movements"
    )
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~Q(delta=0), name="movement_moves"),
        ]
        indexes = [models.Index(fields=["stock", "-id"], name="movement_by_stock")]

    def __str__(self) -> str:
        return f"{self.kind} {self.delta:+d}"


class StockHold(models.Model):
    """Units promised to one order line; live until it is released, whatever the time."""

    class Outcome(models.TextChoices):
        SOLD = "sold"
        RELEASED = "released"

    stock = models.ForeignKey(Stock, models.PROTECT, related_name="holds")
    order_line = models.OneToOneField("shop.OrderLine", models.PROTECT, related_name="hold")
    quantity = models.PositiveIntegerField()
    created_at = models.DateTimeField(db_default=Now())
    released_at = models.DateTimeField(null=True, blank=True)
    outcome = models.CharField(max_length=8, choices=Outcome, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(quantity__gt=0), name="hold_not_empty"),
            models.CheckConstraint(
                condition=Q(released_at=None, outcome="")
                | (Q(released_at__isnull=False) & ~Q(outcome="")),
                name="hold_released_with_outcome",
            ),
        ]
        indexes = [models.Index(fields=["stock", "released_at"], name="hold_live_by_stock")]

    def __str__(self) -> str:
        return f"{self.quantity} held"

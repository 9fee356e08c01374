"""Payments by hour and by day, for each way to pay.

Every row can be counted again from payments and refunds, whose sums it must equal. Amounts are
minor units of USD.
"""

from django.db import models
from django.db.models import Q

from common.fields import MinorUnitsField
from payments.intake.rules import Method


class Methods(models.Model):
    """Orders that were bought in a time and what they came to; refunds of sales decided in it."""

    method = models.CharField(max_length=10, choices=[(m.value, m.value) for m in Method])
    orders = models.PositiveIntegerField()
    amount = MinorUnitsField()
    refunds = models.PositiveIntegerField()
    refunded = MinorUnitsField()

    class Meta:
        abstract = True
        constraints = [
            models.CheckConstraint(
                condition=Q(amount__gte=0, refunded__gte=0) & (Q(orders__gt=0) | Q(refunds__gt=0)),
                name="%(class)s_not_empty",
            ),
        ]


class MethodHour(Methods):
    """Of one way to pay in the hour that begins at `hour` (UTC)."""

    hour = models.DateTimeField()

    class Meta(Methods.Meta):
        abstract = False
        constraints = [
            *Methods.Meta.constraints,
            models.UniqueConstraint(fields=["hour", "method"], name="methodhour_once"),
        ]

    def __str__(self) -> str:
        return f"{self.orders} by {self.method} at {self.hour:%Y-%m-%d %H}"


class MethodDay(Methods):
    """Of one way to pay on one day (UTC): the sums of that day's hours."""

    day = models.DateField()

    class Meta(Methods.Meta):
        abstract = False
        constraints = [
            *Methods.Meta.constraints,
            models.UniqueConstraint(fields=["day", "method"], name="methodday_once"),
        ]

    def __str__(self) -> str:
        return f"{self.orders} by {self.method} on {self.day}"

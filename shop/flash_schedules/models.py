"""Schedules of flash sales, and each moment for which one wants a run."""

import uuid

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from shop.flash_sales.models import FlashRun, FlashSale
from shop.flash_sales.rules import MAX_ALLOCATION
from shop.flash_schedules import rules
from shop.flash_schedules.rules import Rule


class FlashSchedule(models.Model):
    """When a sale is held again, each time with a fresh allocation.

    `rule` is what `rules.from_json` reads; without `run_minutes` a run has no end of its own.
    """

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    sale = models.ForeignKey(FlashSale, models.PROTECT, related_name="schedules")
    rule = models.JSONField()
    allocation = models.PositiveIntegerField()
    run_minutes = models.PositiveIntegerField(null=True, blank=True)
    active = models.BooleanField(default=True)
    # Moments before this one are nobody's: the schedule was not there, or stopped.
    since = models.DateTimeField()
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(allocation__gt=0, allocation__lte=MAX_ALLOCATION),
                name="flash_schedule_allocation",
            ),
            models.CheckConstraint(
                condition=Q(run_minutes=None) | Q(run_minutes__gt=0),
                name="flash_schedule_run_minutes",
            ),
        ]

    def __str__(self) -> str:
        return f"schedule {str(self.uid)[:8]}"

    @property
    def parsed(self) -> Rule:
        return rules.from_json(self.rule)


class FlashOccurrence(models.Model):
    """A moment for which a schedule wants a run; `problem` is why it has none yet."""

    class State(models.TextChoices):
        WAITING = "waiting"
        PLANNED = "planned"
        MISSED = "missed"

    schedule = models.ForeignKey(FlashSchedule, models.PROTECT, related_name="occurrences")
    sale = models.ForeignKey(FlashSale, models.PROTECT, related_name="+", db_index=False)
    scheduled_for = models.DateTimeField()
    state = models.CharField(max_length=8, choices=State, default=State.WAITING)
    run = models.OneToOneField(
        FlashRun, models.PROTECT, null=True, blank=True, related_name="occurrence"
    )
    problem = models.CharField(max_length=40, blank=True)
    detail = models.CharField(max_length=200, blank=True)
    tries = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [
            # However many workers look at the clock, a sale is held once at a moment.
            models.UniqueConstraint(fields=["sale", "scheduled_for"], name="flash_occurrence_once"),
            models.CheckConstraint(
                condition=Q(state="planned", run__isnull=False)
                | (~Q(state="planned") & Q(run=None)),
                name="flash_occurrence_has_its_run",
            ),
        ]
        indexes = [
            models.Index(fields=["state", "scheduled_for"], name="flash_occurrence_waiting"),
        ]

    def __str__(self) -> str:
        return f"{self.scheduled_for:%Y-%m-%d %H:%M} UTC"

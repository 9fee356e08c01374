"""Flash sales, their runs, each run's numbered units, and who bought them.

A run has a row for each of its units: none can be sold that has no row, and none twice. The rows
of the sale and of the run are never written while units are bought.
"""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from common.fields import MinorUnitsField
from shop.flash_sales import rules
from shop.flash_sales.rules import PurchaseState, Terms, UnitState, Window


class FlashSale(models.Model):
    """An offer that runs again and again; its terms are those of the next run, not of a live one.

    `price` is in minor units; `condition_*` is what buyers are told to whom and why it is offered.
    """

    slug = models.SlugField(max_length=100, db_index=False)
    product = models.ForeignKey("shop.Product", models.PROTECT, related_name="flash_sales")
    price = MinorUnitsField()
    condition_name = models.CharField(max_length=200, blank=True)
    condition_description = models.TextField(max_length=2000, blank=True)
    per_order_limit = models.PositiveIntegerField(null=True, blank=True)
    per_user_limit = models.PositiveIntegerField(null=True, blank=True)
    # Buyers whom its waiting room admits in a second; without it there is no waiting room.
    admission_rate = models.PositiveIntegerField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["slug"], name="flash_sale_slug_once"),
            models.CheckConstraint(condition=Q(price__gt=0), name="flash_sale_price_positive"),
            models.CheckConstraint(
                condition=Q(admission_rate=None) | Q(admission_rate__gt=0),
                name="flash_sale_admission_rate",
            ),
        ]

    def __str__(self) -> str:
        return self.slug


class FlashRun(models.Model):
    """One time that a sale is held, with terms of its own and units taken out of the stock."""

    class End(models.TextChoices):
        SOLD = "sold"
        TIME = "time"
        STAFF = "staff"

    sale = models.ForeignKey(FlashSale, models.PROTECT, related_name="runs")
    number = models.PositiveIntegerField()
    price = MinorUnitsField()
    allocation = models.PositiveIntegerField()
    per_order_limit = models.PositiveIntegerField(null=True, blank=True)
    per_user_limit = models.PositiveIntegerField(null=True, blank=True)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True, blank=True)
    # Planned without an end: `ends_at`, if there is one, is the start of the next run.
    open_end = models.BooleanField(default=False)
    ended_at = models.DateTimeField(null=True, blank=True)
    end = models.CharField(max_length=8, choices=End, blank=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["sale", "number"], name="flash_run_number_once"),
            models.CheckConstraint(condition=Q(price__gt=0), name="flash_run_price_positive"),
            models.CheckConstraint(
                condition=Q(allocation__gt=0, allocation__lte=rules.MAX_ALLOCATION),
                name="flash_run_allocation",
            ),
            models.CheckConstraint(
                condition=Q(ends_at=None) | Q(ends_at__gt=F("starts_at")),
                name="flash_run_window_ordered",
            ),
            models.CheckConstraint(
                condition=Q(ended_at=None, end="") | (Q(ended_at__isnull=False) & ~Q(end="")),
                name="flash_run_ended_with_reason",
            ),
        ]
        indexes = [
            models.Index(fields=["sale", "starts_at"], name="flash_run_by_start"),
            models.Index(fields=["ended_at", "starts_at"], name="flash_run_open"),
            # The newest of all sales.
            models.Index(fields=["starts_at"], name="flash_run_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.sale_id} run {self.number}"

    @property
    def window(self) -> Window:
        return Window(self.starts_at, self.ends_at, self.ended_at)

    @property
    def planned_window(self) -> Window:
        return Window(self.starts_at, None if self.open_end else self.ends_at, self.ended_at)

    @property
    def terms(self) -> Terms:
        return Terms(
            self.price,
            self.allocation,
            self.per_order_limit,
            self.per_user_limit,
            self.starts_at,
            self.ends_at,
        )


class FlashPurchase(models.Model):
    """One order of a run; `position` on the leaderboard is given once, after it was paid."""

    run = models.ForeignKey(FlashRun, models.PROTECT, related_name="purchases", db_index=False)
    order = models.OneToOneField("shop.Order", models.PROTECT, related_name="flash_purchase")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    quantity = models.PositiveIntegerField()
    state = models.CharField(
        max_length=8,
        choices=[(s.value, s.value) for s in PurchaseState],
        default=PurchaseState.HELD,
    )
    paid_at = models.DateTimeField(null=True, blank=True)
    position = models.PositiveIntegerField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "position"], name="flash_position_once"),
            models.CheckConstraint(condition=Q(quantity__gt=0), name="flash_purchase_not_empty"),
            models.CheckConstraint(
                condition=Q(state=PurchaseState.PAID, paid_at__isnull=False)
                | (~Q(state=PurchaseState.PAID) & Q(paid_at=None, position=None)),
                name="flash_purchase_paid_at",
            ),
        ]
        # All that the leaderboard shows: where a range looks long, InnoDB reads 128 KB of rows
        # ahead, and each outside the index costs a search of its own (6 ms a page; 1 with this).
        indexes = [
            models.Index(
                fields=["run", "position", "paid_at", "user", "quantity"], name="flash_leaderboard"
            ),
            # What is paid and has no position yet: a few, looked for every two seconds.
            models.Index(fields=["position", "paid_at", "run"], name="flash_unplaced"),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} of run {self.run_id}"


class FlashTally(models.Model):
    """How many units of a run became held, sold or returned by one transaction; less, if negative.

    Their sum is what the run has in each state. One row a run would be written by every buyer, and
    to count the units takes as long as there are units. No foreign key: the run's row would be
    locked after its units.
    """

    run = models.ForeignKey(
        FlashRun, models.DO_NOTHING, related_name="tallies", db_constraint=False
    )
    held = models.IntegerField(default=0)
    sold = models.IntegerField(default=0)
    returned = models.IntegerField(default=0)

    class Meta:
        verbose_name_plural = "flash tallies"

    def __str__(self) -> str:
        return f"run {self.run_id}: {self.held:+} held, {self.sold:+} sold"


class FlashUnit(models.Model):
    """One unit of a run, by serial number from 1.

    A unit that is somebody's takes one of that user's `slot`s, 1 to the limit: a unit beyond the
    limit has none to take. Without a limit there are no slots.
    """

    run = models.ForeignKey(FlashRun, models.PROTECT, related_name="units", db_index=False)
    number = models.PositiveIntegerField()
    state = models.CharField(
        max_length=8, choices=[(s.value, s.value) for s in UnitState], default=UnitState.FREE
    )
    purchase = models.ForeignKey(
        FlashPurchase, models.PROTECT, null=True, blank=True, related_name="units"
    )
    user_id = models.BigIntegerField(null=True, blank=True)
    slot = models.PositiveIntegerField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "number"], name="flash_unit_once"),
            models.UniqueConstraint(fields=["run", "user_id", "slot"], name="flash_slot_once"),
            models.CheckConstraint(
                condition=Q(
                    state__in=[UnitState.HELD, UnitState.SOLD],
                    purchase__isnull=False,
                    user_id__isnull=False,
                )
                | Q(
                    state__in=[UnitState.FREE, UnitState.RETURNED],
                    purchase=None,
                    user_id=None,
                    slot=None,
                ),
                name="flash_unit_has_its_buyer",
            ),
        ]
        indexes = [models.Index(fields=["run", "state", "number"], name="flash_unit_free")]

    def __str__(self) -> str:
        return f"unit {self.number} of run {self.run_id}"

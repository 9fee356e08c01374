"""Sales by hour, by day and by month, and how far they are counted.

Every row can be counted again from the order lines, whose sums it must equal: nothing here decides
anything. Amounts are minor units of USD. A refund counts in the hour in which its line was bought.
"""

from typing import Final

from django.db import models
from django.db.models import F, Q

from common.fields import MinorUnitsField
from shop.flash_sales.rules import Counts

# Of `Sales`, what is added up.
SUMMED: Final = ("orders", "units", "amount", "refunded_units", "refunded")


class Sales(models.Model):
    """Sums over the bought lines of one product; refunded ones are contained in the others."""

    product = models.ForeignKey("shop.Product", models.PROTECT, related_name="+")
    orders = models.PositiveIntegerField()
    units = models.PositiveBigIntegerField()
    amount = MinorUnitsField()
    refunded_units = models.PositiveBigIntegerField(default=0)
    refunded = MinorUnitsField(default=0)

    class Meta:
        abstract = True
        constraints = [
            models.CheckConstraint(
                condition=Q(orders__gt=0, units__gte=F("orders")), name="%(class)s_not_empty"
            ),
            models.CheckConstraint(
                condition=Q(refunded__gte=0, refunded__lte=F("amount"))
                & Q(refunded_units__lte=F("units")),
                name="%(class)s_refunded_within_sold",
            ),
        ]


class SalesHour(Sales):
    """Of one product in the hour that begins at `hour` (UTC)."""

    hour = models.DateTimeField()

    class Meta(Sales.Meta):
        abstract = False
        constraints = [
            *Sales.Meta.constraints,
            models.UniqueConstraint(fields=["hour", "product"], name="saleshour_once"),
        ]
        # What one product sold beside a change of its price.
        indexes = [models.Index(fields=["product", "hour"], name="saleshour_by_product")]

    def __str__(self) -> str:
        return f"{self.units} of {self.product_id} at {self.hour:%Y-%m-%d %H}"


class SalesDay(Sales):
    """Of one product on one day (UTC): the sums of that day's hours."""

    day = models.DateField()

    class Meta(Sales.Meta):
        abstract = False
        constraints = [
            *Sales.Meta.constraints,
            models.UniqueConstraint(fields=["day", "product"], name="salesday_once"),
        ]
        indexes = [
            # All that is summed: a period is read from the index alone, not row by row.
            models.Index(fields=["day", "product", *SUMMED], name="salesday_summed"),
            # The weeks of a few products.
            models.Index(fields=["product", "day"], name="salesday_by_product"),
        ]

    def __str__(self) -> str:
        return f"{self.units} of {self.product_id} on {self.day}"


class SalesMonth(Sales):
    """Of one product in the month that begins on `month` (UTC), once it is over: its days' sums."""

    month = models.DateField()

    class Meta(Sales.Meta):
        abstract = False
        constraints = [
            *Sales.Meta.constraints,
            # The months of one product, too.
            models.UniqueConstraint(fields=["product", "month"], name="salesmonth_once"),
        ]
        indexes = [
            # All that is summed, as of days.
            models.Index(fields=["month", "product", *SUMMED], name="salesmonth_summed"),
        ]

    def __str__(self) -> str:
        return f"{self.units} of {self.product_id} in {self.month:%Y-%m}"


class Orders(models.Model):
    """Orders that were bought in a time, and what became of those that were placed in it.

    `amount` is what the bought ones came to, `refunded` what of it was given back whenever; of
    those that were placed, `paid` were bought and `lapsed` cancelled or expired, whenever.
    """

    orders = models.PositiveIntegerField()
    units = models.PositiveBigIntegerField()
    amount = MinorUnitsField()
    refunded = MinorUnitsField()
    placed = models.PositiveIntegerField()
    paid = models.PositiveIntegerField()
    lapsed = models.PositiveIntegerField()

    class Meta:
        abstract = True
        constraints = [
            models.CheckConstraint(
                condition=Q(refunded__gte=0, refunded__lte=F("amount")),
                name="%(class)s_refunded_within_bought",
            ),
            models.CheckConstraint(
                condition=Q(placed__gte=F("paid") + F("lapsed")),
                name="%(class)s_decided_within_placed",
            ),
        ]


class OrdersHour(Orders):
    """Of the hour that begins at `hour` (UTC)."""

    hour = models.DateTimeField()

    class Meta(Orders.Meta):
        abstract = False
        constraints = [
            *Orders.Meta.constraints,
            models.UniqueConstraint(fields=["hour"], name="ordershour_once"),
        ]

    def __str__(self) -> str:
        return f"{self.orders} orders at {self.hour:%Y-%m-%d %H}"


class OrdersDay(Orders):
    """Of one day (UTC): the sums of that day's hours."""

    day = models.DateField()

    class Meta(Orders.Meta):
        abstract = False
        constraints = [
            *Orders.Meta.constraints,
            models.UniqueConstraint(fields=["day"], name="ordersday_once"),
        ]

    def __str__(self) -> str:
        return f"{self.orders} orders on {self.day}"


class RunSales(models.Model):
    """A flash run's units by state, as they were counted last."""

    run = models.OneToOneField(
        "shop.FlashRun", models.PROTECT, primary_key=True, related_name="sales"
    )
    free = models.PositiveIntegerField()
    held = models.PositiveIntegerField()
    sold = models.PositiveIntegerField()
    returned = models.PositiveIntegerField()

    class Meta:
        verbose_name_plural = "run sales"

    def __str__(self) -> str:
        return f"{self.sold} of run {self.run_id}"

    @property
    def counts(self) -> Counts:
        return Counts(self.free, self.held, self.sold, self.returned)


class SalesMark(models.Model):
    """How far a book is counted: one row each, which whoever counts has locked."""

    name = models.CharField(max_length=10, unique=True)
    # All that happened before is counted, but for transactions that took longer than SLACK.
    counted_until = models.DateTimeField()
    # What an order's events up to this one changed is counted.
    last_event = models.BigIntegerField(default=0)
    # The months before this day are kept as such, each the sums of its days in every snapshot.
    months_until = models.DateField(null=True)

    def __str__(self) -> str:
        return f"{self.name} until {self.counted_until:%Y-%m-%d %H:%M:%S}"

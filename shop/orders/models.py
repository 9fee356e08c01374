"""Orders, their lines, and the history of their states."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from common.append_only import AppendOnly
from common.fields import MinorUnitsField
from shop.orders.rules import Fulfilment, Status


class Order(models.Model):
    """A promise to deliver at a price; amounts in minor units of `currency`."""

    number = models.CharField(max_length=14, unique=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="orders")
    status = models.CharField(
        max_length=20, choices=[(s.value, s.value) for s in Status], default=Status.PENDING
    )
    fulfilment = models.CharField(
        max_length=12, choices=[(f.value, f.value) for f in Fulfilment], default=Fulfilment.OPEN
    )
    currency = models.CharField(max_length=3, default="USD")
    total = MinorUnitsField()
    refunded = MinorUnitsField(default=0)
    placed_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()
    # The flash run whose units it takes, instead of the product's own stock.
    run = models.ForeignKey(
        "shop.FlashRun", models.PROTECT, null=True, blank=True, related_name="orders"
    )
    # Set while a payment is being decided: such an order does not expire.
    deadline_suspended = models.BooleanField(default=False)
    paid_at = models.DateTimeField(null=True, blank=True)
    fulfilled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(total__gt=0), name="order_total_positive"),
            models.CheckConstraint(
                condition=Q(refunded__gte=0, refunded__lte=F("total")),
                name="order_refunded_within_total",
            ),
        ]
        indexes = [
            models.Index(fields=["user", "-id"], name="order_by_user"),
            models.Index(fields=["status", "expires_at"], name="order_overdue"),
            # What was placed, and what was bought, in a time: statistics, and staff's lists.
            models.Index(fields=["placed_at"], name="order_by_placed"),
            models.Index(fields=["paid_at"], name="order_by_paid"),
        ]

    def __str__(self) -> str:
        return self.number


class OrderLine(models.Model):
    """One product of an order, with its name and price at that moment.

    `user` and `purchased_at` repeat the order's, so that a customer's purchase history is one
    range of one index; `purchased_at` is null until the order is paid.
    """

    order = models.ForeignKey(Order, models.PROTECT, related_name="lines")
    product = models.ForeignKey("shop.Product", models.PROTECT, related_name="order_lines")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    sku = models.CharField(max_length=64)
    name = models.CharField(max_length=200)
    unit_price = MinorUnitsField()
    quantity = models.PositiveIntegerField()
    total = MinorUnitsField()
    refunded = MinorUnitsField(default=0)
    refunded_quantity = models.PositiveIntegerField(default=0)
    restocked_quantity = models.PositiveIntegerField(default=0)
    purchased_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["order", "product"], name="line_once_per_product"),
            models.CheckConstraint(condition=Q(quantity__gt=0), name="line_not_empty"),
            models.CheckConstraint(
                condition=Q(total=F("unit_price") * F("quantity")), name="line_total_adds_up"
            ),
            models.CheckConstraint(
                condition=Q(refunded__gte=0, refunded__lte=F("total")),
                name="line_refunded_within_total",
            ),
            models.CheckConstraint(
                condition=Q(refunded_quantity__lte=F("quantity")),
                name="line_refunded_within_quantity",
            ),
            models.CheckConstraint(
                condition=Q(restocked_quantity__lte=F("quantity")),
                name="line_restocked_within_quantity",
            ),
        ]
        indexes = [
            models.Index(fields=["user", "-purchased_at", "-id"], name="line_purchases"),
            models.Index(fields=["product", "purchased_at"], name="line_sales"),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} x {self.sku}"


class OrderEvent(AppendOnly):
    """One change of an order's status or fulfilment, never edited."""

    order = models.ForeignKey(Order, models.PROTECT, related_name="events")
    field = models.CharField(max_length=12)
    old = models.CharField(max_length=20, blank=True)
    new = models.CharField(max_length=20)
    reason = models.CharField(max_length=200, blank=True)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = [models.Index(fields=["order", "id"], name="order_event_order")]

    def __str__(self) -> str:
        return f"{self.old} -> {self.new}"


class PastPurchases(models.Model):
    """What a customer had bought until a moment, summed, so that long histories are read quickly.

    All of it can be counted again from the orders. Null `until`: something of it has changed, and
    the orders say it until it is counted again.
    """

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.PROTECT, primary_key=True, related_name="past_purchases"
    )
    until = models.DateTimeField(null=True, db_index=True)
    # `rules.Bought` by product; (orders, paid, refunded) by month.
    products = models.JSONField(default=dict)
    months = models.JSONField(default=dict)
    # (payments, captured, refunded) by way to pay: counted by those who know of payments.
    methods = models.JSONField(default=dict)

    class Meta:
        verbose_name_plural = "past purchases"

    def __str__(self) -> str:
        return f"{self.user_id} until {self.until}"

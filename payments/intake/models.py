"""Payments, the events their totals are derived from, refunds and disputes.

A payment belongs to an order or, for deposits, to none. An order may have many payments and at
most one open one. Amounts are minor units of the payment's currency; events also carry amounts of
coins in base units.
"""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from common.append_only import AppendOnly
from common.fields import BaseUnitsField, MinorUnitsField
from payments.intake.rules import (
    Destination,
    DisputeStatus,
    Method,
    Reason,
    RefundStatus,
    Source,
    Status,
)


class Payment(models.Model):
    """One way of paying one amount, from its opening to its end."""

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    order = models.ForeignKey(
        "shop.Order", models.PROTECT, null=True, blank=True, related_name="payments"
    )
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="payments")
    method = models.CharField(max_length=10, choices=[(m.value, m.value) for m in Method])
    status = models.CharField(
        max_length=10, choices=[(s.value, s.value) for s in Status], default=Status.AWAITING
    )
    reason = models.CharField(
        max_length=12, blank=True, choices=[(r.value, r.value) for r in Reason]
    )
    currency = models.CharField(max_length=3)
    amount = MinorUnitsField()
    captured = MinorUnitsField(default=0)
    refund_pending = MinorUnitsField(default=0)
    refunded = MinorUnitsField(default=0)
    # The order's key while this is its open payment, else null: MySQL has no partial unique index.
    open_for = models.BigIntegerField(null=True, blank=True, unique=True, editable=False)
    last_error = models.JSONField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="payment_amount_positive"),
            models.CheckConstraint(
                condition=Q(captured__gte=0, refunded__gte=0, refund_pending__gte=0),
                name="payment_totals_not_negative",
            ),
            # The backstop against paying back more than came in.
            models.CheckConstraint(
                condition=Q(captured__gte=F("refunded") + F("refund_pending")),
                name="payment_refunded_within_captured",
            ),
            models.CheckConstraint(
                condition=(Q(status=Status.REVIEW) & ~Q(reason="")) | ~Q(status=Status.REVIEW),
                name="payment_review_has_reason",
            ),
        ]
        indexes = [
            models.Index(fields=["user", "-id"], name="payment_by_user"),
            models.Index(fields=["status", "expires_at"], name="payment_by_status"),
        ]

    def __str__(self) -> str:
        return str(self.uid)


class PaymentEvent(AppendOnly):
    """Something that happened to a payment, never edited; totals are sums of these."""

    payment = models.ForeignKey(Payment, models.PROTECT, related_name="events")
    kind = models.CharField(max_length=16)
    currency = models.CharField(max_length=16, blank=True)
    amount = BaseUnitsField(default=0)
    # For what may count only once: `capture:stripe:pi_…`.
    once = models.CharField(max_length=160, null=True, blank=True, unique=True)
    data = models.JSONField(default=dict, blank=True)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = [models.Index(fields=["payment", "id"], name="payment_event_payment")]

    def __str__(self) -> str:
        return self.kind


class Refund(models.Model):
    """Money on its way back; its amount is reserved on the payment from the first moment."""

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    payment = models.ForeignKey(Payment, models.PROTECT, related_name="refunds")
    status = models.CharField(
        max_length=10,
        choices=[(s.value, s.value) for s in RefundStatus],
        default=RefundStatus.PENDING,
    )
    currency = models.CharField(max_length=3)
    amount = MinorUnitsField()
    restock = models.BooleanField(default=False)
    source = models.CharField(
        max_length=10, choices=[(s.value, s.value) for s in Source], default=Source.SALE
    )
    destination = models.CharField(
        max_length=10,
        choices=[(d.value, d.value) for d in Destination],
        default=Destination.ORIGINAL,
    )
    # Of coins: where they go; empty where money goes back the way it came.
    to_address = models.CharField(max_length=42, blank=True)
    reason = models.CharField(max_length=200)
    failure = models.CharField(max_length=100, blank=True)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(db_default=Now())
    decided_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="refund_amount_positive"),
        ]
        indexes = [
            models.Index(fields=["status", "id"], name="refund_by_status"),
            models.Index(fields=["decided_at"], name="refund_by_decision"),
        ]

    def __str__(self) -> str:
        return str(self.uid)


class RefundLine(AppendOnly):
    """A refund's share of one order line."""

    refund = models.ForeignKey(Refund, models.PROTECT, related_name="lines")
    order_line = models.ForeignKey("shop.OrderLine", models.PROTECT, related_name="+")
    amount = MinorUnitsField()
    quantity = models.PositiveIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["refund", "order_line"], name="refund_line_once"),
        ]

    def __str__(self) -> str:
        return f"{self.amount}"


class Dispute(models.Model):
    """A cardholder's complaint: the provider withholds the money until it is decided."""

    payment = models.ForeignKey(Payment, models.PROTECT, related_name="disputes")
    # The provider's own: `stripe:dp_…`.
    reference = models.CharField(max_length=100, unique=True)
    status = models.CharField(
        max_length=5,
        choices=[(s.value, s.value) for s in DisputeStatus],
        default=DisputeStatus.OPEN,
    )
    currency = models.CharField(max_length=3)
    amount = MinorUnitsField()
    reason = models.CharField(max_length=60, blank=True)
    opened_at = models.DateTimeField(db_default=Now())
    decided_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="dispute_amount_positive"),
            models.CheckConstraint(
                condition=Q(status=DisputeStatus.OPEN, decided_at=None)
                | (~Q(status=DisputeStatus.OPEN) & Q(decided_at__isnull=False)),
                name="dispute_decided_once",
            ),
        ]

    def __str__(self) -> str:
        return self.reference

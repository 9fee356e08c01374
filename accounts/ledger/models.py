"""Accounts, transfers with their postings, and holds."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from accounts.ledger.rules import CREDIT, DEBIT, AccountRef, HoldStatus, Kind
from common.append_only import AppendOnly
from common.fields import BaseUnitsField


class Account(models.Model):
    """Customers' balances are cached here; the house's are sums of postings and stay zero here.

    A cached balance of the house would be one row that every sale waits for.
    """

    key = models.CharField(max_length=80, unique=True)
    kind = models.CharField(max_length=20, choices=[(k.value, k.value) for k in Kind])
    currency = models.CharField(max_length=16)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="ledger_accounts"
    )
    available = BaseUnitsField(default=0)
    held = BaseUnitsField(default=0)

    class Meta:
        constraints = [
            # The backstop against overdrafts.
            models.CheckConstraint(
                condition=Q(available__gte=0, held__gte=0), name="ledger_balance_not_below"
            ),
            models.CheckConstraint(
                condition=Q(kind=Kind.CUSTOMER, owner__isnull=False)
                | (~Q(kind=Kind.CUSTOMER) & Q(owner=None, available=0, held=0)),
                name="ledger_customers_have_balances",
            ),
        ]

    def __str__(self) -> str:
        return self.key

    @property
    def ref(self) -> AccountRef:
        return AccountRef(Kind(self.kind), self.currency, self.owner_id)

    @property
    def balance(self) -> int:
        """What a customer owns, held or not."""
        return self.available + self.held


class Transfer(AppendOnly):
    """One movement of money between accounts, complete with its postings or not there at all."""

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    # What may be moved only once: `capture:stripe:pi_…`, `refund:…`.
    reference = models.CharField(max_length=160, unique=True)
    kind = models.CharField(max_length=20)
    about = models.CharField(max_length=120, blank=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        base_manager_name = "objects"

    def __str__(self) -> str:
        return self.reference


class Posting(AppendOnly):
    """A transfer's effect on one account; `balance` is a customer's after it, the house's zero."""

    transfer = models.ForeignKey(Transfer, models.PROTECT, related_name="postings")
    account = models.ForeignKey(Account, models.PROTECT, related_name="postings")
    side = models.CharField(max_length=6, choices=[(DEBIT, DEBIT), (CREDIT, CREDIT)])
    currency = models.CharField(max_length=16)
    amount = BaseUnitsField()
    balance = BaseUnitsField(default=0)

    class Meta:
        base_manager_name = "objects"
        constraints = [
            models.UniqueConstraint(fields=["transfer", "account"], name="posting_account_once"),
            models.CheckConstraint(condition=Q(amount__gt=0), name="posting_moves"),
            models.CheckConstraint(
                condition=Q(side__in=[DEBIT, CREDIT]), name="posting_side_known"
            ),
        ]
        indexes = [models.Index(fields=["account", "-id"], name="posting_by_account")]

    def __str__(self) -> str:
        return f"{self.side} {self.amount} {self.currency}"

    @property
    def signed(self) -> int:
        """As its customer sees it: a credit is money in."""
        return self.amount if self.side == CREDIT else -self.amount


class PostingMark(models.Model):
    """Up to which transfer postings are summed: one row."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    # No transfer up to this one is still to be committed, but for transactions longer than SLACK.
    until = models.BigIntegerField(default=0)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="posting_mark_alone")]

    def __str__(self) -> str:
        return f"until transfer {self.until}"


class PostingSum(models.Model):
    """Debits or credits of one currency in all transfers up to the mark.

    It can be made again from the postings at any time: nothing here decides anything.
    """

    currency = models.CharField(max_length=16)
    side = models.CharField(max_length=6, choices=[(DEBIT, DEBIT), (CREDIT, CREDIT)])
    amount = BaseUnitsField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["currency", "side"], name="posting_sum_once"),
            models.CheckConstraint(
                condition=Q(side__in=[DEBIT, CREDIT]), name="posting_sum_side_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.side} {self.amount} {self.currency}"


class Hold(models.Model):
    """A customer's money promised to something that is not decided yet."""

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    reference = models.CharField(max_length=160, unique=True)
    account = models.ForeignKey(Account, models.PROTECT, related_name="holds")
    amount = BaseUnitsField()
    posted = BaseUnitsField(default=0)
    status = models.CharField(
        max_length=8,
        choices=[(s.value, s.value) for s in HoldStatus],
        default=HoldStatus.PENDING,
    )
    about = models.CharField(max_length=120, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField(null=True, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="ledger_hold_not_empty"),
            models.CheckConstraint(
                condition=Q(posted__lte=F("amount")), name="ledger_hold_posted_within"
            ),
            models.CheckConstraint(
                condition=Q(status=HoldStatus.PENDING, decided_at=None)
                | (~Q(status=HoldStatus.PENDING) & Q(decided_at__isnull=False)),
                name="ledger_hold_decided_once",
            ),
        ]
        indexes = [
            models.Index(fields=["status", "expires_at"], name="ledger_hold_due"),
            models.Index(fields=["account", "status"], name="ledger_hold_by_account"),
        ]

    def __str__(self) -> str:
        return f"{self.status} {self.amount}"

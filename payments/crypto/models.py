"""Invoices in coins, what the chain has credited to them, and what is sent back.

Amounts of coins are base units (wei), values minor units of the payment's currency.
"""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from common.append_only import AppendOnly
from common.fields import BaseUnitsField, MinorUnitsField


class Invoice(models.Model):
    """What a payment asks for in one token: a locked rate, and an address of its own."""

    payment = models.OneToOneField(
        "payments.Payment", models.PROTECT, related_name="invoice", primary_key=True
    )
    quote = models.ForeignKey("payments.Quote", models.PROTECT, related_name="+")
    chain_id = models.BigIntegerField()
    token = models.CharField(max_length=20)
    # Of the token; empty for the chain's own coin.
    contract = models.CharField(max_length=42, blank=True)
    decimals = models.PositiveSmallIntegerField()
    address = models.CharField(max_length=42)
    amount = BaseUnitsField()
    confirmations = models.PositiveSmallIntegerField()
    # Where the buyer wants coins back; empty: into the wallet.
    refund_address = models.CharField(max_length=42, blank=True)
    # Money that comes later is found only where its transaction is named.
    watched_until = models.DateTimeField()
    # Something has come that no decision has been made about.
    open = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="invoice_amount_positive"),
            models.CheckConstraint(
                condition=Q(confirmations__gte=1), name="invoice_confirmations_positive"
            ),
            # Two invoices of one address could not tell whose money came.
            models.UniqueConstraint(fields=["chain_id", "address"], name="invoice_own_address"),
        ]
        indexes = [
            models.Index(fields=["watched_until"], name="invoice_watched"),
            models.Index(fields=["open"], name="invoice_undecided"),
        ]

    def __str__(self) -> str:
        return f"{self.token} to {self.address}"


class Credit(models.Model):
    """A transfer to an invoice's address, known by its transaction and its place in the receipt.

    `active`: the chain has it in the block that is named here. A reorg takes it back and may give
    it again, in another block. `value` is what it was counted as, once it was.
    """

    invoice = models.ForeignKey(Invoice, models.PROTECT, related_name="credits")
    chain_id = models.BigIntegerField()
    tx_hash = models.CharField(max_length=66)
    # -1: the chain's own coin; below: found in the balance, whatever brought it.
    ordinal = models.BigIntegerField()
    token = models.CharField(max_length=20)
    amount = BaseUnitsField()
    sender = models.CharField(max_length=42, blank=True)
    block_number = models.BigIntegerField()
    block_hash = models.CharField(max_length=66)
    active = models.BooleanField(default=True)
    seen_at = models.DateTimeField(db_default=Now())
    # When the chain was last found without it.
    lost_at = models.DateTimeField(null=True, blank=True)
    value = MinorUnitsField(null=True, blank=True)  # type: ignore[misc]  # as in market.models
    counted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["chain_id", "tx_hash", "ordinal"], name="credit_once"),
            models.CheckConstraint(condition=Q(amount__gt=0), name="credit_amount_positive"),
            models.CheckConstraint(
                condition=Q(value=None, counted_at=None)
                | Q(value__gte=0, counted_at__isnull=False),
                name="credit_counted_with_value",
            ),
            models.CheckConstraint(
                condition=Q(active=True, lost_at=None) | Q(active=False, lost_at__isnull=False),
                name="credit_lost_or_active",
            ),
        ]
        indexes = [
            models.Index(fields=["chain_id", "active", "block_number"], name="credit_by_block")
        ]

    def __str__(self) -> str:
        return f"{self.tx_hash}:{self.ordinal}"


class Submission(models.Model):
    """A transaction that the buyer has named for an invoice; nothing is credited for it."""

    invoice = models.ForeignKey(Invoice, models.PROTECT, related_name="submissions")
    tx_hash = models.CharField(max_length=66)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["invoice", "tx_hash"], name="submission_once"),
        ]

    def __str__(self) -> str:
        return self.tx_hash


class CreditShare(AppendOnly):
    """What a refund takes of a credit, into the wallet as well; a failed one's share is free again.

    Written with the refund: what is left of a credit is never more than what came in.
    """

    refund = models.ForeignKey("payments.Refund", models.PROTECT, related_name="credit_shares")
    credit = models.ForeignKey(Credit, models.PROTECT, related_name="shares")
    units = BaseUnitsField()
    value = MinorUnitsField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["refund", "credit"], name="credit_share_once"),
            models.CheckConstraint(
                condition=Q(value__gte=0) & (Q(units__gt=0) | Q(value__gt=0)),
                name="credit_share_of_something",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.units}"


class Scan(models.Model):
    """How far the chain has been read: the block that was read last, and when it was."""

    chain_id = models.BigIntegerField(unique=True)
    number = models.BigIntegerField()
    hash = models.CharField(max_length=66)
    read_at = models.DateTimeField(db_default=Now())
    balances_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"chain {self.chain_id} to block {self.number}"


class ScannedBlock(models.Model):
    """A block as it was when it was read, so that a reorg is noticed; the newest are kept."""

    chain_id = models.BigIntegerField()
    number = models.BigIntegerField()
    hash = models.CharField(max_length=66)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["chain_id", "number"], name="scanned_block_once"),
        ]

    def __str__(self) -> str:
        return f"{self.number}: {self.hash}"


class HotAccount(models.Model):
    """The account that refunds are sent from; whoever locks it gets the next nonce."""

    chain_id = models.BigIntegerField()
    address = models.CharField(max_length=42)
    next_nonce = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["chain_id", "address"], name="hot_account_once"),
        ]

    def __str__(self) -> str:
        return self.address


class CoinRefund(models.Model):
    """The coins of a refund in one token, from its signing to its depth in the chain."""

    refund = models.ForeignKey("payments.Refund", models.PROTECT, related_name="coins")
    chain_id = models.BigIntegerField()
    token = models.CharField(max_length=20)
    contract = models.CharField(max_length=42, blank=True)
    amount = BaseUnitsField()
    to_address = models.CharField(max_length=42)
    sender = models.CharField(max_length=42, blank=True)
    # Of the hot account; null until it is signed, and never another one's.
    nonce = models.BigIntegerField(null=True, blank=True)
    done_at = models.DateTimeField(null=True, blank=True)
    failed = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["refund", "token"], name="coin_refund_once"),
            # Two transactions of one nonce: the chain takes one, and the other refund never goes.
            models.UniqueConstraint(
                fields=["chain_id", "sender", "nonce"], name="coin_refund_own_nonce"
            ),
            models.CheckConstraint(condition=Q(amount__gt=0), name="coin_refund_positive"),
            models.CheckConstraint(
                condition=Q(nonce=None, sender="", done_at=None)
                | (Q(nonce__isnull=False) & ~Q(sender="")),
                name="coin_refund_signed_by_somebody",
            ),
        ]
        indexes = [models.Index(fields=["done_at", "failed"], name="coin_refund_under_way")]

    def __str__(self) -> str:
        return f"{self.amount} {self.token} to {self.to_address}"


class CoinRefundAttempt(AppendOnly):
    """A signed transaction of a refund; later ones have the same nonce and higher fees."""

    coin_refund = models.ForeignKey(CoinRefund, models.PROTECT, related_name="attempts")
    tx_hash = models.CharField(max_length=66, unique=True)
    raw = models.TextField()
    tip = BaseUnitsField()
    max_fee = BaseUnitsField()
    created_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return self.tx_hash

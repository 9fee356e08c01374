"""The state of the mock chain. Hashes and addresses are `0x…` in lower case."""

from typing import Final

from django.db import models
from django.db.models import Q

from common.fields import BaseUnitsField

HASH: Final = 66
ADDRESS: Final = 42


class MockBlock(models.Model):
    """A block. `salt` fills what an EVM would make, so that no two blocks have one hash."""

    number = models.BigIntegerField(primary_key=True)
    hash = models.CharField(max_length=HASH, unique=True)
    parent_hash = models.CharField(max_length=HASH)
    timestamp = models.BigIntegerField()
    base_fee = models.BigIntegerField()
    gas_used = models.BigIntegerField()
    salt = models.CharField(max_length=HASH)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(number__gte=0, timestamp__gt=0, base_fee__gt=0, gas_used__gte=0),
                name="mock_block_sane",
            )
        ]

    def __str__(self) -> str:
        return f"block {self.number}"


class MockHead(models.Model):
    """One row: the height of the chain. Whoever changes the chain holds its lock."""

    id = models.PositiveSmallIntegerField(primary_key=True)
    number = models.BigIntegerField()

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="mock_head_is_one")]

    def __str__(self) -> str:
        return f"head {self.number}"


class MockAccount(models.Model):
    """What an address has: wei, base units of the token, and its next nonce."""

    address = models.CharField(max_length=ADDRESS, unique=True)
    balance = BaseUnitsField(default=0)
    tokens = BaseUnitsField(default=0)
    nonce = models.BigIntegerField(default=0)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(nonce__gte=0), name="mock_account_nonce")]

    def __str__(self) -> str:
        return self.address


class MockTransaction(models.Model):
    """A transaction in the pool, or with a block in it. Fees in wei a unit of gas.

    `must_fail` has it fail once it is included. `price` is what a unit of gas did cost, 0 before.
    """

    hash = models.CharField(max_length=HASH, unique=True)
    raw = models.TextField()
    sender = models.CharField(max_length=ADDRESS)
    nonce = models.BigIntegerField()
    # Empty is impossible: the node takes no contract creation.
    to = models.CharField(max_length=ADDRESS)
    value = BaseUnitsField()
    gas = models.BigIntegerField()
    tip = BaseUnitsField()
    max_fee = BaseUnitsField()
    must_fail = models.BooleanField(default=False)
    block = models.ForeignKey(
        MockBlock, models.PROTECT, related_name="transactions", null=True, blank=True
    )
    index = models.PositiveIntegerField(null=True, blank=True)
    succeeded = models.BooleanField(null=True, blank=True)
    gas_used = models.BigIntegerField(null=True, blank=True)
    price = BaseUnitsField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["sender", "nonce"], name="mock_tx_one_a_nonce"),
            models.UniqueConstraint(fields=["block", "index"], name="mock_tx_one_a_place"),
            models.CheckConstraint(
                condition=Q(block=None, index=None, succeeded=None, gas_used=None, price=0)
                | Q(
                    block__isnull=False,
                    index__isnull=False,
                    succeeded__isnull=False,
                    gas_used__isnull=False,
                ),
                name="mock_tx_included_whole",
            ),
        ]

    def __str__(self) -> str:
        return self.hash


class MockLog(models.Model):
    """A Transfer of the token, as an included transaction left it."""

    transaction = models.ForeignKey(MockTransaction, models.CASCADE, related_name="logs")
    block = models.ForeignKey(MockBlock, models.PROTECT, related_name="logs", db_index=False)
    # Within the block, over all its transactions.
    log_index = models.PositiveIntegerField()
    sender = models.CharField(max_length=ADDRESS)
    recipient = models.CharField(max_length=ADDRESS)
    amount = BaseUnitsField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["block", "log_index"], name="mock_log_one_a_place")
        ]

    def __str__(self) -> str:
        return f"log {self.log_index} of block {self.block_id}"

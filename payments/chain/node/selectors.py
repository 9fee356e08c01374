"""Reads of the mock chain. Before its first use it has a head at 0 and no row."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import QuerySet

from common.fields import sums
from payments.chain.node.models import (
    MockAccount,
    MockBlock,
    MockHead,
    MockLog,
    MockTransaction,
)
from payments.chain.rules.transfers import TRANSFERRED


@dataclass(frozen=True, slots=True)
class LogFilter:
    """What eth_getLogs asks for; None matches everything, a place of `topics` any of its values."""

    first: int
    last: int
    address: frozenset[str] | None = None
    topics: tuple[frozenset[str] | None, ...] = field(default=())


def head_number() -> int:
    return MockHead.objects.values_list("number", flat=True).get(pk=1)


def block(number: int) -> MockBlock | None:
    return MockBlock.objects.filter(pk=number).first()


def head_block() -> MockBlock:
    return MockBlock.objects.get(pk=head_number())


def block_by_hash(block_hash: str) -> MockBlock | None:
    return MockBlock.objects.filter(hash=block_hash).first()


def blocks(first: int, last: int) -> list[MockBlock]:
    return list(MockBlock.objects.filter(pk__range=(first, last)).order_by("pk"))


def transactions_of(blocks: Sequence[MockBlock]) -> dict[int, list[MockTransaction]]:
    """By block number, in the order of the blocks."""
    found: dict[int, list[MockTransaction]] = {one.pk: [] for one in blocks}
    rows = MockTransaction.objects.filter(block__in=[one.pk for one in blocks])
    for row in rows.order_by("block_id", "index"):
        found[row.block_id or 0].append(row)
    return found


def transaction(tx_hash: str) -> MockTransaction | None:
    return MockTransaction.objects.select_related("block").filter(hash=tx_hash).first()


def logs_of(transaction: MockTransaction) -> list[MockLog]:
    return list(
        MockLog.objects.filter(transaction=transaction)
        .select_related("block", "transaction")
        .order_by("log_index")
    )


def gas_before(transaction: MockTransaction) -> int:
    """Gas of the transactions before it in its block."""
    earlier = MockTransaction.objects.filter(
        block=transaction.block_id, index__lt=transaction.index or 0
    )
    return sum(earlier.values_list("gas_used", flat=True))  # type: ignore[arg-type]  # included


def account(address: str) -> MockAccount:
    """A new address has nothing, and no row."""
    return MockAccount.objects.filter(address=address).first() or MockAccount(address=address)


def next_nonce(address: str) -> int:
    """After what waits in the pool without a gap."""
    following = account(address).nonce
    waiting = set(pool().filter(sender=address).values_list("nonce", flat=True))
    while following in waiting:
        following += 1
    return following


def pool() -> QuerySet[MockTransaction]:
    return MockTransaction.objects.filter(block=None)


def token_balance(address: str) -> int:
    return account(address).tokens


def token_supply() -> int:
    rows = MockAccount.objects.all()
    return sum(sums(rows, "pk", column="tokens").values())


def logs(wanted: LogFilter, *, token: str) -> list[MockLog]:
    """In the order of the chain."""
    if wanted.address is not None and token not in wanted.address:
        return []
    conditions = _conditions(wanted.topics)
    if conditions is None:
        return []
    return list(
        MockLog.objects.filter(block__gte=wanted.first, block__lte=wanted.last, **conditions)
        .select_related("block", "transaction")
        .order_by("block_id", "log_index")
    )


def _conditions(topics: tuple[frozenset[str] | None, ...]) -> dict[str, Any] | None:
    """None where no Transfer can match: it has three topics, the event and two addresses."""
    if len(topics) > 3:
        return None
    found: dict[str, Any] = {}
    for name, some in zip(("event", "sender__in", "recipient__in"), topics, strict=False):
        if some is not None:
            found[name] = some if name == "event" else _addresses(some)
    event = found.pop("event", None)
    return None if event is not None and TRANSFERRED not in event else found


def _addresses(topics: frozenset[str]) -> list[str]:
    return [f"0x{topic[-40:]}" for topic in topics if topic.startswith("0x" + 24 * "0")]

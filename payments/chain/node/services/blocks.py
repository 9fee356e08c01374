"""Blocks: made from what waits, and taken back."""

import secrets
import time
from dataclasses import dataclass, field
from typing import Final

from common.db import transactional
from payments.chain.node import locks, rules, selectors
from payments.chain.node.errors import InvalidParams
from payments.chain.node.models import (
    MockAccount,
    MockBlock,
    MockHead,
    MockLog,
    MockTransaction,
)
from payments.chain.rules import transactions
from payments.chain.rules.hexes import text

MOST_AT_ONCE: Final = 256
# Mined by the clock until the last payment has as many blocks on it; then the chain stands still.
CALM_AFTER: Final = 70


@dataclass(slots=True)
class _Draft:
    """A block in the making, and the accounts that it changes."""

    parent: MockBlock
    number: int
    timestamp: int
    base_fee: int
    gas_used: int = 0
    included: list[MockTransaction] = field(default_factory=list)
    logs: list[MockLog] = field(default_factory=list)
    accounts: dict[str, MockAccount] = field(default_factory=dict)

    def account(self, address: str) -> MockAccount:
        if address not in self.accounts:
            self.accounts[address] = selectors.account(address)
        return self.accounts[address]

    def takes(self, waiting: MockTransaction) -> bool:
        """Its turn has come, it can pay, and there is room for it."""
        sender = self.account(waiting.sender)
        return (
            waiting.nonce == sender.nonce
            and waiting.max_fee >= self.base_fee
            and waiting.value + waiting.gas * waiting.max_fee <= sender.balance
            and self.gas_used + waiting.gas <= rules.GAS_LIMIT
        )

    def tip(self, waiting: MockTransaction) -> int:
        price = rules.price_of(waiting.max_fee, waiting.tip, self.base_fee)
        return price - self.base_fee


@transactional
def blocks_mine(*, count: int = 1, timestamp: int | None = None) -> int:
    """Mine blocks one after another, the first at `timestamp` (seconds); the new height.

    Raises InvalidParams for a time that is not after the last block's, or over 256 blocks.
    """
    if not 1 <= count <= MOST_AT_ONCE:
        raise InvalidParams(f"invalid params: 1 to {MOST_AT_ONCE} blocks at once")
    head = locks.head()
    for _ in range(count):
        _mine(head, timestamp)
        timestamp = None
    return head.number


@transactional
def blocks_mine_due() -> bool:
    """One block, if anything waits or the last payment is not deep enough yet.

    A chain that nobody uses stands still: blocks for ever would fill the database with nothing.
    """
    head = locks.head()
    busy = MockTransaction.objects.filter(block__gt=head.number - CALM_AFTER).exists()
    if not busy and not selectors.pool().exists():
        return False
    _mine(head, None)
    return True


@transactional
def chain_reorg(depth: int) -> int:
    """Replace the newest blocks by as many empty ones; what they held waits again. The height.

    What was given out of nothing (`anvil_setBalance`) stays. Raises InvalidParams for more blocks
    than there are above the first.
    """
    head = locks.head()
    if not 1 <= depth <= min(head.number, MOST_AT_ONCE):
        raise InvalidParams("invalid params: depth is beyond the chain")
    dropped = list(MockBlock.objects.filter(pk__gt=head.number - depth).order_by("-pk"))
    for block in dropped:
        _undo(block)
    head.number -= depth
    for _ in range(depth):
        _mine(head, None, empty=True)
    return head.number


def _mine(head: MockHead, timestamp: int | None, *, empty: bool = False) -> None:
    parent = MockBlock.objects.get(pk=head.number)
    draft = _Draft(
        parent=parent,
        number=parent.number + 1,
        timestamp=_timestamp(parent, timestamp),
        base_fee=rules.next_base_fee(parent.base_fee, parent.gas_used),
    )
    if not empty:
        _fill(draft)
    _store(draft)
    head.number = draft.number
    head.save(update_fields=["number"])


def _timestamp(parent: MockBlock, wanted: int | None) -> int:
    if wanted is None:
        return max(parent.timestamp + 1, int(time.time()))
    if not parent.timestamp < wanted < 2**63:
        raise InvalidParams("timestamp error: it must be after the last block's")
    return wanted


def _fill(draft: _Draft) -> None:
    """The best tip first among those whose turn it is, until nothing more can be taken."""
    waiting = list(selectors.pool().order_by("pk"))
    while ready := [one for one in waiting if draft.takes(one)]:
        best = max(ready, key=lambda one: (draft.tip(one), -one.pk))
        waiting.remove(best)
        _include(draft, best)


def _include(draft: _Draft, taken: MockTransaction) -> None:
    """Run it: gas is paid and the nonce used anyway; value and token move if it succeeds."""
    body = transactions.decode(taken.raw, largest=2**20).body
    taken.gas_used = min(taken.gas, rules.needed_gas(body))
    taken.price = draft.base_fee + draft.tip(taken)
    taken.index, taken.block_id = len(draft.included), draft.number
    sender = draft.account(taken.sender)
    sender.nonce += 1
    sender.balance -= taken.gas_used * taken.price
    draft.account(rules.MINER).balance += taken.gas_used * draft.tip(taken)
    enough = taken.gas >= rules.needed_gas(body)
    taken.succeeded = enough and not taken.must_fail and _execute(draft, taken, body.data)
    draft.gas_used += taken.gas_used
    draft.included.append(taken)


def _execute(draft: _Draft, taken: MockTransaction, payload: bytes) -> bool:
    if rules.is_token(taken.to):
        return _move_tokens(draft, taken, payload)
    draft.account(taken.sender).balance -= taken.value
    draft.account(taken.to).balance += taken.value
    return True


def _move_tokens(draft: _Draft, taken: MockTransaction, payload: bytes) -> bool:
    """False where the contract reverts: another call, coins sent along, or too few tokens."""
    move, sender = rules.token_move(payload), draft.account(taken.sender)
    # OpenZeppelin's ERC-20 refuses the zero address.
    if move is None or taken.value or move.recipient == rules.NOBODY:
        return False
    if move.amount > sender.tokens:
        return False
    sender.tokens -= move.amount
    draft.account(move.recipient).tokens += move.amount
    draft.logs.append(
        MockLog(
            transaction=taken,
            block_id=draft.number,
            log_index=len(draft.logs),
            sender=taken.sender,
            recipient=move.recipient,
            amount=move.amount,
        )
    )
    return True


def _store(draft: _Draft) -> None:
    header = _header(draft)
    MockBlock.objects.create(
        number=draft.number,
        hash=header.hash,
        parent_hash=header.parent_hash,
        timestamp=draft.timestamp,
        base_fee=draft.base_fee,
        gas_used=draft.gas_used,
        salt=header.salt,
    )
    for taken in draft.included:
        taken.save(update_fields=["block", "index", "succeeded", "gas_used", "price"])
    MockLog.objects.bulk_create(draft.logs)
    for account in draft.accounts.values():
        account.save()


def _header(draft: _Draft) -> rules.Header:
    topics = [rules.log_topics(log.sender, log.recipient) for log in draft.logs]
    return rules.Header(
        number=draft.number,
        parent_hash=draft.parent.hash,
        timestamp=draft.timestamp,
        base_fee=draft.base_fee,
        gas_used=draft.gas_used,
        salt=text(secrets.token_bytes(32)),
        transactions=tuple(one.hash for one in draft.included),
        bloom=rules.bloom(topics),
    )


def _undo(block: MockBlock) -> None:
    """Take a block back, the newest first: its transactions wait again."""
    changed: dict[str, MockAccount] = {}

    def account(address: str) -> MockAccount:
        if address not in changed:
            changed[address] = selectors.account(address)
        return changed[address]

    for taken in block.transactions.order_by("-index"):
        _undo_one(block, taken, account(taken.sender), account(taken.to), account(rules.MINER))
        for log in taken.logs.all():
            account(log.sender).tokens += log.amount
            _take(account(log.recipient), "tokens", log.amount)
    for one in changed.values():
        one.save()
    block.logs.all().delete()
    block.transactions.update(block=None, index=None, succeeded=None, gas_used=None, price=0)
    block.delete()


def _undo_one(
    block: MockBlock,
    taken: MockTransaction,
    sender: MockAccount,
    recipient: MockAccount,
    miner: MockAccount,
) -> None:
    gas, price = taken.gas_used or 0, taken.price
    sender.nonce -= 1
    sender.balance += gas * price
    _take(miner, "balance", gas * (price - block.base_fee))
    if taken.succeeded:
        sender.balance += taken.value
        _take(recipient, "balance", taken.value)


def _take(account: MockAccount, name: str, amount: int) -> None:
    """Never below zero: a balance may have been set lower since."""
    setattr(account, name, max(0, getattr(account, name) - amount))

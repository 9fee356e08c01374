"""What waits to be included: taken, replaced, dropped. The words of refusals are geth's."""

from typing import Final

from django.conf import settings

from common.db import transactional
from payments.chain.errors import Reason, TransactionRefused
from payments.chain.node import locks, rules, selectors
from payments.chain.node.errors import InvalidParams, Rejected
from payments.chain.node.models import MockTransaction
from payments.chain.rules import transactions
from payments.chain.rules.hexes import text
from payments.chain.rules.transactions import Signed, Unsigned

# As geth's; its pool refuses anything longer.
LARGEST: Final = 128 * 1024
MOST_WAITING: Final = 5000


def transaction_send(raw: bytes) -> str:
    """Take a signed transaction into the pool; its hash. Raises Rejected with geth's words."""
    # Before the lock: this needs nothing of the chain, and is most of the work.
    signed = _decoded(raw)
    _check_alone(signed.body)
    return _admit(signed)


@transactional
def _admit(signed: Signed) -> str:
    locks.head()
    if selectors.pool().filter(hash=signed.hash).exists():
        raise Rejected("already known")
    _check_nonce(signed)
    earlier = _earlier(signed)
    _check_funds(signed, earlier)
    if earlier is not None:
        _check_replacement(earlier, signed.body)
        earlier.delete()
    elif selectors.pool().count() >= MOST_WAITING:
        raise Rejected("txpool is full")
    _insert(signed)
    return signed.hash


@transactional
def transaction_drop(tx_hash: str) -> str | None:
    """Forget a waiting transaction; None where none of this hash waits."""
    locks.head()
    count, _ = selectors.pool().filter(hash=tx_hash).delete()
    return tx_hash if count else None


@transactional
def transaction_fail(tx_hash: str) -> bool:
    """Have a waiting transaction fail (status 0) once it is included; False where none waits."""
    locks.head()
    return selectors.pool().filter(hash=tx_hash).update(must_fail=True) == 1


def _decoded(raw: bytes) -> Signed:
    if len(raw) > LARGEST:
        raise Rejected("oversized data")
    if raw[:1] != transactions.TYPE:
        raise Rejected("transaction type not supported")
    try:
        return transactions.decode(raw, largest=LARGEST)
    except TransactionRefused as refusal:
        if refusal.reason is Reason.BAD_SIGNATURE:
            raise Rejected("invalid sender") from refusal
        raise InvalidParams(f"failed to decode signed transaction: {refusal.detail}") from refusal


def _check_alone(body: Unsigned) -> None:
    """What does not depend on the chain's state."""
    if body.chain_id != settings.CHAIN_ID:
        words = f"have {body.chain_id} want {settings.CHAIN_ID}"
        raise Rejected(f"invalid chain id for signer: {words}")
    if body.to is None:
        raise Rejected("contract creation is not supported by the mock chain")
    if body.gas > rules.GAS_LIMIT:
        raise Rejected("exceeds block gas limit")
    least = rules.intrinsic_gas(body)
    if body.gas < least:
        raise Rejected(f"intrinsic gas too low: gas {body.gas}, minimum needed {least}")


def _check_nonce(signed: Signed) -> None:
    following = selectors.account(signed.sender.lower()).nonce
    if signed.body.nonce < following:
        words = f"next nonce {following}, tx nonce {signed.body.nonce}"
        raise Rejected(f"nonce too low: {words}")


def _earlier(signed: Signed) -> MockTransaction | None:
    waiting = selectors.pool().filter(sender=signed.sender.lower(), nonce=signed.body.nonce)
    return waiting.first()


def _check_funds(signed: Signed, replaced: MockTransaction | None) -> None:
    """The balance covers this one and all others that wait."""
    waiting = selectors.pool().filter(sender=signed.sender.lower())
    if replaced is not None:
        waiting = waiting.exclude(pk=replaced.pk)
    cost = signed.body.cost + sum(one.value + one.gas * one.max_fee for one in waiting)
    balance = selectors.account(signed.sender.lower()).balance
    if cost > balance:
        words = f"balance {balance}, tx cost {cost}, overshot {cost - balance}"
        raise Rejected(f"insufficient funds for gas * price + value: {words}")


def _check_replacement(earlier: MockTransaction, body: Unsigned) -> None:
    old, new = (earlier.tip, earlier.max_fee), (body.tip, body.max_fee)
    if not rules.is_replacement(old, new):
        raise Rejected("replacement transaction underpriced")


def _insert(signed: Signed) -> None:
    body = signed.body
    MockTransaction.objects.create(
        hash=signed.hash,
        raw=text(signed.raw),
        sender=signed.sender.lower(),
        nonce=body.nonce,
        to=(body.to or "").lower(),
        value=body.value,
        gas=body.gas,
        tip=body.tip,
        max_fee=body.max_fee,
    )

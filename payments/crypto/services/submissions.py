"""Transactions that buyers name or hand in. Nothing is credited for them: the chain is read."""

from datetime import timedelta
from typing import Final

from common import clock
from common.db import transactional
from common.idempotency.services import bind
from payments.chain import gateway
from payments.chain.errors import Reason, RpcRefused, TransactionRefused
from payments.chain.rules import addresses, transactions, transfers
from payments.chain.rules.answers import Transaction
from payments.chain.rules.hexes import data, text
from payments.chain.rules.transactions import Signed
from payments.crypto import selectors
from payments.crypto.models import Invoice, Submission
from payments.crypto.rules import Seen
from payments.crypto.services.watcher import credits_catch_up, proofs, token_of

# For a transaction that the chain does not have yet.
WAIT: Final = timedelta(hours=1)
# What nodes say, in their words; they have no codes of their own for it.
_WORDS: Final = (
    ("nonce too low", Reason.NONCE_TOO_LOW),
    ("insufficient funds", Reason.INSUFFICIENT_FUNDS),
)


def transaction_submit(*, invoice: Invoice, raw: str) -> tuple[str, Seen]:
    """Check a signed transaction and hand it to the chain; its hash.

    Raises TransactionRefused with a code for each reason, and ChainError.
    """
    signed = transactions.decode(raw)
    try:
        _check(invoice, signed)
        gateway.send_raw(signed.raw)
    except RpcRefused as refused:
        raise TransactionRefused(
            _reason(refused), f"The chain says: {refused.message}"
        ) from refused
    except TransactionRefused as refused:
        # Handed in before, and in a block by now: its nonce is used by itself.
        if refused.reason != Reason.NONCE_TOO_LOW or gateway.transaction(signed.hash) is None:
            raise
    _remember(invoice, signed.hash)
    return signed.hash, Seen.PENDING


def _check(invoice: Invoice, signed: Signed) -> None:
    transfers.check(
        signed,
        chain_id=invoice.chain_id,
        address=invoice.address,
        token=invoice.contract or None,
        funds=gateway.funds(signed.sender, invoice.contract or None),
        credited=selectors.credited(signed.hash).exists(),
    )


def _reason(refused: RpcRefused) -> Reason:
    said = refused.message.lower()
    return next((reason for words, reason in _WORDS if words in said), Reason.REJECTED)


def hash_submit(*, invoice: Invoice, tx_hash: str) -> tuple[str, Seen]:
    """Look at a transaction by its hash; one that the chain does not know yet is waited for.

    Raises TransactionRefused, and ChainError.
    """
    try:
        name = text(data(tx_hash, size=32))
    except ValueError as error:
        raise TransactionRefused(Reason.MALFORMED, "A hash is 0x and 64 digits.") from error
    if selectors.credited(name).exists():
        raise TransactionRefused(Reason.ALREADY_CREDITED)
    found = gateway.transaction(name)
    seen = _seen(invoice, found) if found is not None else Seen.UNKNOWN
    _remember(invoice, name)
    return name, seen


def _seen(invoice: Invoice, found: Transaction) -> Seen:
    if found.block_hash is None:
        if not _would_pay(invoice, found):
            raise TransactionRefused(Reason.WRONG_RECIPIENT)
        return Seen.PENDING
    shown = proofs(found.hash)
    if shown is None:
        return Seen.PENDING
    mine = [each for each in shown if each.to == invoice.address]
    if not any(token_of(each) for each in mine):
        raise TransactionRefused(Reason.WRONG_RECIPIENT)
    credits_catch_up(mine)
    return Seen.INCLUDED


def _would_pay(invoice: Invoice, found: Transaction) -> bool:
    words = transfers.transfer_call(invoice.address, 0)[:36]
    known = {addresses.normal(each) for each in selectors.contracts()}
    return found.to == invoice.address or (found.to in known and found.data[:36] == words)


@transactional
def _remember(invoice: Invoice, tx_hash: str) -> None:
    """And look at the address for a while, whatever its time was."""
    # The column has room for the digits alone.
    bind(tx_hash.removeprefix("0x"), status=202)
    Submission.objects.get_or_create(invoice=invoice, tx_hash=tx_hash)
    soon = clock.now() + WAIT
    Invoice.objects.filter(pk=invoice.pk, watched_until__lt=soon).update(watched_until=soon)

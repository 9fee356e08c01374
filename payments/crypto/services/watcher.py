"""The chain, read block by block: what has come to the shop's addresses, and what a reorg took.

Any number may watch at once: they read the same blocks, and what they found is written by one of
them. The chain is asked outside transactions only. Nothing is credited on a client's word.
"""

import logging
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from django.conf import settings
from django.db.models import Q
from django.db.models.functions import Now

from common.db import transactional
from payments.chain import gateway
from payments.chain.errors import ChainError
from payments.chain.rules import transfers
from payments.chain.rules.amounts import MOST_STORED
from payments.chain.rules.answers import Block
from payments.chain.rules.transfers import NATIVE, Transfer
from payments.crypto import locks, selectors
from payments.crypto.models import Credit, Invoice, Scan, ScannedBlock
from payments.crypto.rules import COIN
from payments.crypto.services.decide import invoice_decide

logger = logging.getLogger(__name__)

# At the first start; an invoice may be older than the first look by so much.
BEFORE_FIRST: Final = 20
AT_ONCE: Final = 20
MOST_AT_ONCE: Final = 25
# No chain replaces more blocks than that.
KEPT_BLOCKS: Final = 300
ADDRESSES_AT_ONCE: Final = 500
DECIDED_AT_ONCE: Final = 200
BALANCES_EVERY: Final = timedelta(seconds=30)
# Where nothing is waited for, blocks are skipped; the first invoice then has not far to go.
IDLE: Final = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Read:
    """Consecutive blocks, and what they bring to addresses of the shop."""

    blocks: tuple[Block, ...]
    transfers: tuple[Transfer, ...]


def watch() -> int:
    """Look at what is new on the chain and decide what has to be decided; how many were.

    Raises ChainError where the chain cannot be read; whatever was read before is kept.
    """
    try:
        _follow()
    finally:
        # Deadlines pass while the chain is away.
        decided = _decide_all()
    return decided


def _decide_all() -> int:
    found = selectors.undecided(DECIDED_AT_ONCE)
    for payment_id in found:
        try:
            invoice_decide(payment_id=payment_id)
        except Exception:
            # One that cannot be decided must not keep the others' money.
            logger.exception("crypto.not_decided", extra={"payment": payment_id})
    return len(found)


def _follow() -> None:
    # Coins of another chain would buy goods: they may be worth nothing.
    gateway.chain_verify()
    head = gateway.block("latest")
    if head is None:
        return
    scan = _scan_from(head)
    addresses = {each.address: each for each in selectors.watched()}
    if not addresses:
        _skip(scan, head)
        return
    if _is_behind(scan, head):
        return
    if not _is_on_chain(scan, head):
        scan = _walk_back(scan)
    for _ in range(MOST_AT_ONCE):
        if scan.number >= head.number:
            break
        last = min(scan.number + AT_ONCE, head.number)
        read = _read(scan, last, addresses)
        if read is None or not _write(scan, read):
            return
        scan = Scan.objects.get(pk=scan.pk)
    _look_at_balances(scan)


def _scan_from(head: Block) -> Scan:
    found = selectors.scan()
    if found is not None:
        return found
    first = gateway.block(max(0, head.number - BEFORE_FIRST)) or head
    made, _ = Scan.objects.get_or_create(
        chain_id=settings.CHAIN_ID, defaults={"number": first.number, "hash": first.hash}
    )
    return made


def _skip(scan: Scan, head: Block) -> None:
    """Nobody is waited for: the blocks up to now bring nothing."""
    unread = Scan.objects.filter(pk=scan.pk, hash=scan.hash, read_at__lt=Now() - IDLE)
    unread.update(number=head.number, hash=head.hash, read_at=Now())


def _is_behind(scan: Scan, head: Block) -> bool:
    """Another node than the last, of the same chain, that has not got its newest blocks yet."""
    read = ScannedBlock.objects.filter(chain_id=scan.chain_id, number=head.number, hash=head.hash)
    return head.number < scan.number and read.exists()


def _is_on_chain(scan: Scan, head: Block) -> bool:
    if scan.number > head.number:
        return False
    found = gateway.block(scan.number)
    return found is not None and found.hash == scan.hash


def _walk_back(scan: Scan) -> Scan:
    """To the newest block that the chain still has; what came after it is taken back."""
    kept = ScannedBlock.objects.filter(chain_id=scan.chain_id, number__lt=scan.number)
    fork: ScannedBlock | None = None
    for block in kept.order_by("-number"):
        found = gateway.block(block.number)
        if found is not None and found.hash == block.hash:
            fork = block
            break
    if fork is None:
        # Older than all that was kept, or the first blocks of a chain that was begun anew.
        lowest = min([scan.number, *kept.values_list("number", flat=True)])
        before = gateway.block(max(0, lowest - 1)) or gateway.block("latest")
        if before is None:
            raise ChainError("the chain has no block")
        fork = ScannedBlock(chain_id=scan.chain_id, number=before.number, hash=before.hash)
    _take_back(scan, fork)
    return Scan.objects.get(pk=scan.pk)


@transactional
def _take_back(scan: Scan, fork: ScannedBlock) -> None:
    locked = locks.scan(scan.chain_id)
    if (locked.number, locked.hash) != (scan.number, scan.hash):
        return
    gone = Credit.objects.filter(chain_id=scan.chain_id, active=True, block_number__gt=fork.number)
    keys = list(gone.values_list("invoice_id", flat=True))
    logger.warning("crypto.reorg", extra={"to_block": fork.number, "credits": len(keys)})
    Invoice.objects.filter(pk__in=keys).update(open=True)
    gone.update(active=False, lost_at=Now())
    ScannedBlock.objects.filter(chain_id=scan.chain_id, number__gt=fork.number).delete()
    locked.number, locked.hash = fork.number, fork.hash
    locked.save(update_fields=["number", "hash"])


def _read(scan: Scan, last: int, addresses: Collection[str]) -> Read | None:
    """Blocks after the scan; None where the chain has changed while they were read.

    Or where a node has a block and not yet what its transactions did: read as nothing, coins would
    be lost.
    """
    first = scan.number + 1
    found = gateway.blocks_paying(first, last, addresses)
    parents = [scan.hash, *(block.hash for block, _ in found)]
    if [block.parent_hash for block, _ in found] != parents[:-1]:
        return None
    hashes = {block.number: block.hash for block, _ in found}
    names = dict.fromkeys(name for _, paying in found for name in paying)
    if found:
        names |= dict.fromkeys(_tokens_to(addresses, first, first + len(found) - 1))
    shown = [proofs(name) for name in names]
    proven = [each for some in shown for each in some or () if each.to in addresses]
    if None in shown or any(hashes.get(each.block_number) != each.block_hash for each in proven):
        return None
    return Read(tuple(block for block, _ in found), tuple(proven))


def _tokens_to(addresses: Collection[str], first: int, last: int) -> list[str]:
    """Transactions that moved any known token to these addresses."""
    known, found = sorted(addresses), []
    for contract in filter(None, settings.CHAIN_CONTRACTS.values()):
        for start in range(0, len(known), ADDRESSES_AT_ONCE):
            some = known[start : start + ADDRESSES_AT_ONCE]
            logs = gateway.token_transfers(contract, to=some, first=first, last=last)
            found += [log.tx_hash for log in logs if not log.removed]
    return found


def proofs(tx_hash: str) -> list[Transfer] | None:
    """What a transaction has moved, nothing where it failed; None where it is in no block yet."""
    transaction, receipt = gateway.inclusion(tx_hash)
    if transaction is None or receipt is None or transaction.block_hash is None:
        return None
    return list(transfers.proven(transaction, receipt))


@transactional
def _write(scan: Scan, read: Read) -> bool:
    """False where somebody else has written meanwhile, or there was nothing to read."""
    locked = locks.scan(scan.chain_id)
    if not read.blocks or (locked.number, locked.hash) != (scan.number, scan.hash):
        return False
    credits_write(read.transfers)
    chain_id, last = scan.chain_id, read.blocks[-1]
    ScannedBlock.objects.bulk_create(
        ScannedBlock(chain_id=chain_id, number=block.number, hash=block.hash)
        for block in read.blocks
    )
    ScannedBlock.objects.filter(chain_id=chain_id, number__lte=last.number - KEPT_BLOCKS).delete()
    Scan.objects.filter(pk=scan.pk).update(number=last.number, hash=last.hash, read_at=Now())
    return True


@transactional
def credits_catch_up(found: Sequence[Transfer]) -> None:
    """Of blocks that were read long ago, when nobody waited for what they bring any more.

    Under the scan's lock: blocks that a reorg takes back meanwhile would stay credited.
    """
    if selectors.scan() is None:
        return
    locked = locks.scan(settings.CHAIN_ID)
    blocks = ScannedBlock.objects.filter(chain_id=locked.chain_id)
    kept = dict(blocks.values_list("number", "hash"))
    oldest = min(kept, default=locked.number)
    known = [each for each in found if each.block_number <= locked.number]
    credits_write(
        each
        for each in known
        if each.block_number < oldest or kept.get(each.block_number) == each.block_hash
    )


def credits_write(found: Iterable[Transfer]) -> None:
    """Transfers that the chain proves, each once; one that came back counts again.

    Under the scan's lock.
    """
    moved = [each for each in found if each.amount and token_of(each) is not None]
    owners = {each.address: each for each in selectors.watched({each.to for each in moved})}
    for each in moved:
        if each.to in owners and not _was_in_balance(owners[each.to].invoice_id, each):
            _credit(owners[each.to].invoice_id, each)


def _was_in_balance(invoice_id: int, found: Transfer) -> bool:
    """A transfer that was not seen when its block was read, and that a balance has shown since.

    Without it, naming the transaction would credit the same coins a second time.
    """
    if found.token is not None:
        return False
    own = Credit.objects.filter(invoice_id=invoice_id, token=COIN)
    shown = own.filter(ordinal__lt=NATIVE, active=True, block_number__gte=found.block_number)
    return shown.exists() and not own.filter(tx_hash=found.tx_hash).exists()


def _credit(invoice_id: int, found: Transfer) -> None:
    if found.amount > MOST_STORED:
        # No coin has ever had so much: a contract of somebody's own says so.
        logger.error("crypto.amount_capped", extra={"tx_hash": found.tx_hash})
    place = {"block_number": found.block_number, "block_hash": found.block_hash}
    # First, as `locks.invoice` says.
    Invoice.objects.filter(pk=invoice_id).update(open=True)
    credit, made = Credit.objects.get_or_create(
        chain_id=settings.CHAIN_ID,
        tx_hash=found.tx_hash,
        ordinal=found.ordinal,
        defaults={
            "invoice_id": invoice_id,
            "token": token_of(found),
            "amount": min(found.amount, MOST_STORED),
            "sender": found.sender,
            **place,
        },
    )
    if not made:
        same = Credit.objects.filter(pk=credit.pk)
        same.filter(Q(active=False) | ~Q(block_hash=found.block_hash)).update(
            active=True, lost_at=None, **place
        )


def token_of(found: Transfer) -> str | None:
    """The symbol of what was moved; None for a token that the shop does not know."""
    if found.token is None:
        return COIN
    known = {contract: symbol for symbol, contract in settings.CHAIN_CONTRACTS.items() if contract}
    return known.get(found.token)


def _look_at_balances(scan: Scan) -> None:
    """Coins may come from inside a contract, by no transfer that a receipt shows."""
    turn = Scan.objects.filter(pk=scan.pk)
    due = Q(balances_at=None) | Q(balances_at__lt=Now() - BALANCES_EVERY)
    if not turn.filter(due).update(balances_at=Now()):
        return
    waiting = [each for each in selectors.watched() if each.token == COIN]
    for start in range(0, len(waiting), gateway.BATCH):
        some = waiting[start : start + gateway.BATCH]
        found = gateway.balances([each.address for each in some])
        head = gateway.block("latest")
        # Of another block than the one that was read last, a balance says nothing about credits.
        if head is None or head.hash != scan.hash:
            return
        pairs = [(one.invoice_id, balance) for one, balance in zip(some, found, strict=True)]
        _credit_balances(scan, pairs)


@transactional
def _credit_balances(scan: Scan, balances: Sequence[tuple[int, int]]) -> None:
    locked = locks.scan(scan.chain_id)
    if locked.hash != scan.hash:
        return
    for invoice_id, balance in balances:
        known = list(Credit.objects.filter(invoice_id=invoice_id, token=COIN).order_by("pk"))
        missing = balance - sum(each.amount for each in known if each.active)
        # What a reorg took back and has brought again is no other money.
        for lost in (each for each in known if not each.active and each.ordinal < NATIVE):
            if lost.amount <= missing:
                _credit(invoice_id, _from_inside(scan, invoice_id, lost.ordinal, lost.amount))
                missing -= lost.amount
        if missing > 0:
            ordinal = NATIVE - 1 - len(known)
            _credit(invoice_id, _from_inside(scan, invoice_id, ordinal, missing))


def _from_inside(scan: Scan, invoice_id: int, ordinal: int, amount: int) -> Transfer:
    """Named after its invoice: whichever transaction brought it, nobody shows it."""
    return Transfer(
        tx_hash=f"0x{invoice_id:064x}",
        ordinal=ordinal,
        token=None,
        sender="",
        to="",
        amount=amount,
        block_number=scan.number,
        block_hash=scan.hash,
    )

"""Transfers, holds, and the carried sums of postings: the only writers of the ledger.

All of it runs in the caller's transaction where there is one: money moves together with what it is
for. Every reference moves money once; the same call again finds what the first one did.
"""

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import uuid4

from accounts.ledger import locks, rules, selectors
from accounts.ledger.errors import HoldExpired, InsufficientFunds, ReferenceReused
from accounts.ledger.models import Account, Hold, Posting, PostingMark, PostingSum, Transfer
from accounts.ledger.rules import CREDIT, DEBIT, AccountRef, Entry, HoldStatus, Kind
from common import cleanup, clock, rows
from common.db import transactional
from common.errors import InvalidTransition

# Transfers whose postings are summed at once: some tens of milliseconds in MySQL.
BATCH: Final = 10_000


@transactional
def transfer_post(
    *, reference: str, kind: str, entries: Iterable[Entry], about: str = ""
) -> Transfer:
    """Move money, once for each reference.

    Raises Unbalanced, InsufficientFunds, and ReferenceReused where the reference has moved
    something else.
    """
    wanted = rules.whole(entries)
    accounts = _accounts([entry.account for entry in wanted])
    if done := selectors.transfer_by_reference(reference):
        _check_same(done, wanted)
        return done
    for entry in wanted:
        _change_balance(accounts[entry.account.key], entry)
    transfer = Transfer.objects.create(reference=reference, kind=kind, about=about)
    Posting.objects.bulk_create(
        _posting(transfer, accounts[entry.account.key], entry) for entry in wanted
    )
    return transfer


def _accounts(refs: list[AccountRef]) -> dict[str, Account]:
    """The accounts by key, opened where they are new; customers' are locked."""
    owned = [ref for ref in refs if ref.kind is Kind.CUSTOMER]
    found = _read(refs, owned)
    missing = [ref for ref in refs if ref.key not in found]
    if missing:
        Account.objects.bulk_create([_new(ref) for ref in missing], ignore_conflicts=True)
        found = _read(refs, owned)
    return found


@transactional
def wallets_lock(*, refs: Iterable[AccountRef]) -> None:
    """Open and lock the accounts of several customers at once, for a transaction that moves
    money of all of them one by one: locked one by one, two such transactions would deadlock."""
    _accounts(list(refs))


def _read(refs: list[AccountRef], owned: list[AccountRef]) -> dict[str, Account]:
    found = selectors.house_accounts([ref.key for ref in refs if ref not in owned])
    if owned:
        found |= locks.customers([ref.key for ref in owned])
    return found


def _new(ref: AccountRef) -> Account:
    return Account(key=ref.key, kind=ref.kind, currency=ref.currency, owner_id=ref.owner_id)


def _change_balance(account: Account, entry: Entry) -> None:
    if account.kind != Kind.CUSTOMER:
        return
    if account.available < entry.amount:
        raise InsufficientFunds(account.available, account.currency)
    account.available -= entry.amount
    account.save(update_fields=["available"])


def _posting(transfer: Transfer, account: Account, entry: Entry) -> Posting:
    return Posting(
        transfer=transfer,
        account=account,
        side=DEBIT if entry.amount > 0 else CREDIT,
        currency=account.currency,
        amount=abs(entry.amount),
        balance=account.balance,
    )


@dataclass(frozen=True, slots=True)
class Spend:
    """What a customer pays the house for something, or sets aside, once for each reference."""

    reference: str
    owner_id: int
    amount: int
    about: str


class Purses:
    """Locked accounts of some customers in one currency, from which several spends are made."""

    def __init__(self, owner_ids: Iterable[int], currency: str) -> None:
        wallets = {pk: rules.customer(pk, currency) for pk in owner_ids}
        found = locks.customers([ref.key for ref in wallets.values()])
        self.currency = currency
        self.accounts = {pk: found[ref.key] for pk, ref in wallets.items() if ref.key in found}

    def take(self, owner_id: int, amount: int) -> None:
        """Out of what the lock has shown, so that two of a customer's own see each other's.

        Raises InsufficientFunds.
        """
        account = self.accounts.get(owner_id)
        if account is None or account.available < amount:
            raise InsufficientFunds(account.available if account else 0, self.currency)
        account.available -= amount

    def give(self, owner_id: int, amount: int) -> None:
        """Undo `take`: nothing was bought."""
        self.accounts[owner_id].available += amount


_POSTING: Final = ("transfer_id", "account_id", "side", "currency", "amount", "balance")


@transactional
def spends_post(*, purses: Purses, spends: Sequence[Spend], credit: Kind, kind: str) -> None:
    """`transfer_post` for each spend that was taken out of `purses`, in one statement a table.

    A reference that has moved money before is refused by its unique key.
    """
    house = _accounts([rules.house(credit, purses.currency)])
    [goal] = house.values()
    made = [(uuid4(), spend.reference, kind, spend.about) for spend in spends]
    keys = rows.insert_keyed(Transfer, ("uid", "reference", "kind", "about"), made, by="reference")
    after = _balances_after(purses, spends)
    postings: list[tuple[int, int, str, str, int, int]] = []
    for spend, balance in zip(spends, after, strict=True):
        key, account = keys[spend.reference], purses.accounts[spend.owner_id]
        postings += [
            (key, account.pk, DEBIT, purses.currency, spend.amount, balance),
            (key, goal.pk, CREDIT, purses.currency, spend.amount, 0),
        ]
    rows.insert(Posting, _POSTING, postings)
    _change_spent(purses, spends, "available")


def _change_spent(purses: Purses, spends: Sequence[Spend], *columns: str) -> None:
    spent = {purses.accounts[spend.owner_id] for spend in spends}
    changed = {name: {row.pk: getattr(row, name) for row in spent} for name in columns}
    rows.change(Account, changed)


def _balances_after(purses: Purses, spends: Sequence[Spend]) -> list[int]:
    """Each customer's balance after each spend: the last one's is what the purse has now."""
    running = {pk: account.balance for pk, account in purses.accounts.items()}
    found = []
    for spend in reversed(spends):
        found.append(running[spend.owner_id])
        running[spend.owner_id] += spend.amount
    return found[::-1]


def _check_same(done: Transfer, wanted: list[Entry]) -> None:
    postings = done.postings.select_related("account")
    found = {posting.account.key: -posting.signed for posting in postings}
    if found != {entry.account.key: entry.amount for entry in wanted}:
        raise ReferenceReused(f"{done.reference} stands for another transfer.")


@transactional
def debt_collect(
    *,
    reference: str,
    account: AccountRef,
    amount: int,
    credit: AccountRef,
    kind: str,
    about: str = "",
) -> Transfer:
    """Take what a customer owes us as far as it is there; the rest is a loss of the house.

    Raises ReferenceReused where the reference has collected something else.
    """
    row = _accounts([account])[account.key]
    losses = rules.house(Kind.LOSSES, account.currency)
    if done := selectors.transfer_by_reference(reference):
        _check_collected(done, Entry(credit, -amount), sources={account.key, losses.key})
        return done
    there = min(row.available, amount)
    entries = [Entry(account, there), Entry(losses, amount - there), Entry(credit, -amount)]
    return transfer_post(reference=reference, kind=kind, entries=entries, about=about)


def _check_collected(done: Transfer, wanted: Entry, *, sources: set[str]) -> None:
    """How much was there then is not known any more; what it came to is."""
    postings = done.postings.select_related("account")
    found = {posting.account.key: -posting.signed for posting in postings}
    if found.pop(wanted.account.key, None) != wanted.amount or not found.keys() <= sources:
        raise ReferenceReused(f"{done.reference} stands for another transfer.")


@transactional
def hold_place(
    *,
    reference: str,
    account: AccountRef,
    amount: int,
    expires_at: datetime | None = None,
    about: str = "",
) -> Hold:
    """Set a customer's money aside, once for each reference. Raises InsufficientFunds."""
    row = _accounts([account])[account.key]
    if done := Hold.objects.filter(reference=reference).first():
        if (done.account_id, done.amount) != (row.pk, amount):
            raise ReferenceReused(f"{reference} stands for another hold.")
        return done
    _set_aside(row, amount)
    return Hold.objects.create(
        reference=reference, account=row, amount=amount, expires_at=expires_at, about=about
    )


_HOLD: Final = ("uid", "reference", "account_id", "amount", "posted", "status", "about")


@transactional
def holds_place(*, purses: Purses, spends: Sequence[Spend]) -> dict[str, int]:
    """`hold_place` for each spend that was taken out of `purses`; the holds' keys by reference.

    A reference that has held money before is refused by its unique key.
    """
    made = []
    for spend in spends:
        account = purses.accounts[spend.owner_id]
        account.held += spend.amount
        what = (uuid4(), spend.reference, account.pk, spend.amount)
        made.append((*what, 0, HoldStatus.PENDING, spend.about))
    keys = rows.insert_keyed(Hold, _HOLD, made, by="reference")
    _change_spent(purses, spends, "available", "held")
    return keys


@transactional
def hold_what_is_there(*, reference: str, account: AccountRef, amount: int, about: str) -> None:
    """Set aside up to `amount` of what the customer has; nothing where that is nothing."""
    there = min(_accounts([account])[account.key].available, amount)
    if there and selectors.hold_by_reference(reference) is None:
        hold_place(reference=reference, account=account, amount=there, about=about)


def _set_aside(account: Account, amount: int) -> None:
    if account.available < amount:
        raise InsufficientFunds(account.available, account.currency)
    account.available -= amount
    account.held += amount
    account.save(update_fields=["available", "held"])


@transactional
def hold_post(
    *, hold_id: int, credit: AccountRef, kind: str, amount: int | None = None, about: str = ""
) -> Transfer:
    """Pay from a hold, in full or in part; what is left of it is the customer's again.

    Raises HoldExpired, and InvalidTransition where it has been decided otherwise.
    """
    account, hold = _locked(hold_id)
    pay = hold.amount if amount is None else amount
    if pay > hold.amount:
        raise InsufficientFunds(hold.amount, account.currency)
    if (hold.status, hold.posted) != (HoldStatus.POSTED, pay):
        _check_pending(hold, HoldStatus.POSTED)
        if hold.expires_at is not None and hold.expires_at <= clock.now():
            raise HoldExpired
        _end(account, hold, HoldStatus.POSTED, posted=pay)
    return transfer_post(
        reference=f"hold:{hold.uid}",
        kind=kind,
        entries=rules.move(pay, debit=account.ref, credit=credit),
        about=about or hold.about,
    )


@transactional
def hold_void(*, hold_id: int) -> bool:
    """Give held money back; False the second time. Raises InvalidTransition where it was paid."""
    account, hold = _locked(hold_id)
    if hold.status in (HoldStatus.VOIDED, HoldStatus.EXPIRED):
        return False
    _check_pending(hold, HoldStatus.VOIDED)
    _end(account, hold, HoldStatus.VOIDED)
    return True


def holds_expire(*, limit: int = 200) -> int:
    """Give back every hold whose time is over; returns how many."""
    return sum(_expire(hold_id=pk) for pk in selectors.overdue_hold_ids(limit=limit))


@transactional
def _expire(*, hold_id: int) -> bool:
    account, hold = _locked(hold_id)
    if hold.status != HoldStatus.PENDING:
        return False
    _end(account, hold, HoldStatus.EXPIRED)
    return True


def _locked(hold_id: int) -> tuple[Account, Hold]:
    account = locks.account(selectors.hold(hold_id).account_id)
    # Read again under the lock: another caller may have decided it meanwhile.
    return account, selectors.hold(hold_id)


def _check_pending(hold: Hold, wanted: HoldStatus) -> None:
    if hold.status != HoldStatus.PENDING:
        raise InvalidTransition("hold", hold.status, wanted)


def _end(account: Account, hold: Hold, status: HoldStatus, *, posted: int = 0) -> None:
    account.available += hold.amount
    account.held -= hold.amount
    account.save(update_fields=["available", "held"])
    hold.status, hold.posted, hold.decided_at = status, posted, clock.now()
    hold.save(update_fields=["status", "posted", "decided_at"])


def sums_carry(*, seconds: float = cleanup.AT_MOST_SECONDS) -> int:
    """Add to the carried sums what is settled since, in batches; returns how many those were.

    Nothing is locked while postings are summed, which nobody changes any more. Of several who
    want to move the mark from one place one does, and the others leave the rest to it.
    """
    until, made = time.monotonic() + seconds, 0
    while _carry_batch():
        made += 1
        if time.monotonic() >= until:
            break
    return made


def sums_recount() -> int:
    """All of the sums anew; returns how many batches. Meanwhile readers read more postings."""
    _forget_sums()
    made = 0
    # Whoever moves the mark in between ends a round, and leaves the rest to the next.
    while selectors.is_behind():
        made += sums_carry(seconds=math.inf)
    return made


@transactional
def _forget_sums() -> None:
    # Without its row nothing is locked, and a first batch that commits meanwhile would be lost.
    PostingMark.objects.get_or_create(pk=1)
    PostingMark.objects.update(until=0)
    PostingSum.objects.all().delete()


def _carry_batch() -> bool:
    since = PostingMark.objects.get_or_create(pk=1)[0].until
    until = selectors.settled_until(since, size=BATCH)
    return until is not None and _carry(since, until, selectors.sums_between(since, until))


@transactional
def _carry(since: int, until: int, found: Mapping[tuple[str, str], int]) -> bool:
    """False where somebody else has moved the mark."""
    if not _move_mark(since, until):
        return False
    for (currency, side), amount in sorted(found.items()):
        row, _ = PostingSum.objects.get_or_create(
            currency=currency, side=side, defaults={"amount": 0}
        )
        row.amount += amount
        row.save(update_fields=["amount"])
    return True


def _move_mark(since: int, until: int) -> bool:
    return PostingMark.objects.filter(until=since).update(until=until) == 1

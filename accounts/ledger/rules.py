"""What makes a transfer whole. Pure.

Amounts are integers in the currency's smallest unit. A positive entry debits its account, a
negative one credits it. What a customer holds is our debt to them: a credit raises it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    """What an account stands for; all but the first are the house's."""

    CUSTOMER = "customer"
    # What others hold for us.
    STRIPE_CLEARING = "stripe_clearing"
    CHAIN_CLEARING = "chain_clearing"
    EXCHANGE_CLEARING = "exchange_clearing"
    # Withheld by a provider until a dispute is decided.
    DISPUTED = "disputed"
    # Money that came in and has bought nothing yet.
    UNAPPLIED = "unapplied"
    SALES = "sales"
    REFUNDS = "refunds"
    FEES = "fees"
    LOSSES = "losses"
    DUST = "dust"
    # Coins the house has bought beside its customers'.
    INVENTORY = "inventory"


class HoldStatus(StrEnum):
    PENDING = "pending"
    POSTED = "posted"
    VOIDED = "voided"
    EXPIRED = "expired"


DEBIT: Final = "debit"
CREDIT: Final = "credit"


class Unbalanced(ValueError):
    """Entries that create or lose money: a mistake in the code that wrote them."""


@dataclass(frozen=True, slots=True)
class AccountRef:
    """Names an account, whether or not it has been opened."""

    kind: Kind
    currency: str
    owner_id: int | None = None

    @property
    def key(self) -> str:
        """`customer:42:USD`, `house:sales:USD`: unique, which a null owner would not be."""
        if self.owner_id is None:
            return f"house:{self.kind}:{self.currency}"
        return f"customer:{self.owner_id}:{self.currency}"


@dataclass(frozen=True, slots=True)
class Entry:
    account: AccountRef
    amount: int


def customer(owner_id: int, currency: str) -> AccountRef:
    return AccountRef(Kind.CUSTOMER, currency, owner_id)


def house(kind: Kind, currency: str) -> AccountRef:
    return AccountRef(kind, currency)


def move(amount: int, *, debit: AccountRef, credit: AccountRef) -> tuple[Entry, Entry]:
    """The commonest transfer: one account to another. Raises Unbalanced for nothing or less."""
    if amount <= 0:
        raise Unbalanced(f"{amount} cannot be moved")
    return Entry(debit, amount), Entry(credit, -amount)


def whole(entries: Iterable[Entry]) -> list[Entry]:
    """One entry per account, by key. Raises Unbalanced unless each currency sums to zero."""
    by_account: dict[AccountRef, int] = {}
    totals: dict[str, int] = {}
    for entry in entries:
        by_account[entry.account] = by_account.get(entry.account, 0) + entry.amount
        currency = entry.account.currency
        totals[currency] = totals.get(currency, 0) + entry.amount
    merged = [Entry(account, amount) for account, amount in by_account.items() if amount]
    if not merged or any(totals.values()):
        raise Unbalanced(f"{totals} is not zero, or nothing moves")
    return sorted(merged, key=lambda entry: entry.account.key)

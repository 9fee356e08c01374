"""Reads of the ledger."""

from collections.abc import Collection
from typing import Any

from django.db.models import QuerySet
from django.db.models.functions import Now

from accounts.ledger.models import Account, Hold, Posting, Transfer
from accounts.ledger.rules import DEBIT, HoldStatus
from common.fields import sums

# Shown even where nothing has ever been paid in.
HOME_CURRENCY = "USD"


def transfer_by_reference(reference: str) -> Transfer | None:
    return Transfer.objects.filter(reference=reference).first()


def house_accounts(keys: Collection[str]) -> dict[str, Account]:
    return {row.key: row for row in Account.objects.filter(key__in=keys)} if keys else {}


def hold(pk: int) -> Hold:
    return Hold.objects.get(pk=pk)


def hold_by_reference(reference: str) -> Hold | None:
    return Hold.objects.filter(reference=reference).first()


def overdue_hold_ids(*, limit: int) -> list[int]:
    due = Hold.objects.filter(status=HoldStatus.PENDING, expires_at__lte=Now())
    return list(due.order_by("expires_at").values_list("pk", flat=True)[:limit])


def balances_of(user_id: int) -> list[dict[str, Any]]:
    """`{currency, available, held}` of USD, and of each currency the customer has ever held."""
    rows = Account.objects.filter(owner_id=user_id).order_by("currency")
    found = [
        {"currency": row.currency, "available": row.available, "held": row.held} for row in rows
    ]
    # Who has read the first as dollars goes on doing so when there are coins.
    found.sort(key=lambda row: row["currency"] != HOME_CURRENCY)
    if all(row["currency"] != HOME_CURRENCY for row in found):
        found.insert(0, {"currency": HOME_CURRENCY, "available": 0, "held": 0})
    return found


def entries_of(user_id: int, *, currency: str | None = None) -> QuerySet[Posting]:
    """A customer's statement; each entry carries the balance after it."""
    # Joined, MySQL begins with the accounts and sorts all that ever happened on them.
    own = list(Account.objects.filter(owner_id=user_id).values_list("pk", flat=True))
    rows = Posting.objects.filter(account_id__in=own).select_related("transfer")
    return rows.filter(currency=currency) if currency else rows


def trial_balance() -> list[dict[str, Any]]:
    """Debits and credits of all accounts, per currency; the difference is always zero."""
    found: dict[str, dict[str, int]] = {}
    for (currency, side), total in sums(Posting.objects.all(), "currency", "side").items():
        found.setdefault(currency, {"debit": 0, "credit": 0})[side] = total
    return [
        {"currency": currency, **row, "difference": row["debit"] - row["credit"]}
        for currency, row in sorted(found.items())
    ]


def house_balances() -> dict[tuple[str, str], int]:
    """`{(kind, currency): debits less credits}` of the house's accounts."""
    rows = Posting.objects.filter(account__owner=None)
    found: dict[tuple[str, str], int] = {}
    for (kind, currency, side), total in sums(rows, "account__kind", "currency", "side").items():
        signed = total if side == DEBIT else -total
        found[kind, currency] = found.get((kind, currency), 0) + signed
    return found

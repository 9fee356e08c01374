"""Reads of the ledger."""

from collections.abc import Collection, Iterator
from typing import Any

from django.db.models import QuerySet, Subquery, Value
from django.db.models.functions import Coalesce, Now

from accounts.ledger.models import Account, Hold, Posting, PostingMark, PostingSum, Transfer
from accounts.ledger.rules import DEBIT, HoldStatus
from common import moments
from common.fields import added, addends, sums

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
    """Debits and credits of every posting, per currency; the difference is always zero.

    Those of transfers up to the mark were summed before (`services.sums_carry`), and only later
    ones are read.
    """
    found: dict[str, dict[str, int]] = {}
    for (currency, side), total in added(_carried_and_since()).items():
        found.setdefault(currency, {"debit": 0, "credit": 0})[side] = total
    return [
        {"currency": currency, **row, "difference": row["debit"] - row["credit"]}
        for currency, row in sorted(found.items())
    ]


def _carried_and_since() -> Any:
    """`(currency, side, amount)` rows that add up to the whole ledger.

    One statement, which sees one moment: of two, the second would see the mark moved on and the
    first the sums before that, and a transfer would count twice or not at all.
    """
    mark = Coalesce(Subquery(PostingMark.objects.values("until")), Value(0))
    since = addends(Posting.objects.filter(transfer_id__gt=mark), "currency", "side")
    return _carried().union(since, all=True)


def _carried() -> Any:
    return PostingSum.objects.order_by().values_list("currency", "side", "amount")


def settled_until(after: int, *, size: int) -> int | None:
    """Up to where, at most `size` keys on, later transfers may be summed; None: nowhere yet.

    Keys are given before transactions commit, in another order: before a transfer that is SLACK
    old there is none any more that is still to come.
    """
    later = Transfer.objects.filter(pk__gt=after).values_list("pk", flat=True)
    last = later.filter(created_at__lt=Now() - moments.SLACK).order_by("-pk").first()
    first = None if last is None else later.order_by("pk").first()
    return None if last is None or first is None else min(last, first + size - 1)


def is_behind() -> bool:
    """Whether there are transfers that may be summed and are not."""
    until = PostingMark.objects.values_list("until", flat=True).first()
    return settled_until(until or 0, size=1) is not None


def sums_between(after: int, until: int) -> dict[tuple[str, str], int]:
    """`{(currency, side): amount}` of the transfers after the one key, up to the other."""
    rows = Posting.objects.filter(transfer_id__gt=after, transfer_id__lte=until)
    return sums(rows, "currency", "side")


def sum_differences() -> Iterator[str]:
    """A line for each currency and side whose carried sum is not that of its postings."""
    until = PostingMark.objects.values_list("until", flat=True).first() or 0
    carried, posted = added(_carried()), sums_between(0, until)
    for currency, side in sorted(carried.keys() | posted.keys()):
        both = carried.get((currency, side), 0), posted.get((currency, side), 0)
        if both[0] != both[1]:
            yield f"{side} {currency} until transfer {until}: {both[0]} kept, {both[1]} posted"


def house_balances() -> dict[tuple[str, str], int]:
    """`{(kind, currency): debits less credits}` of the house's accounts."""
    rows = Posting.objects.filter(account__owner=None)
    found: dict[tuple[str, str], int] = {}
    for (kind, currency, side), total in sums(rows, "account__kind", "currency", "side").items():
        signed = total if side == DEBIT else -total
        found[kind, currency] = found.get((kind, currency), 0) + signed
    return found

"""The only place that locks ledger accounts; last of all locks, by primary key."""

from collections.abc import Collection

from accounts.ledger.models import Account


def customers(keys: Collection[str]) -> dict[str, Account]:
    """Customers' accounts by key. Their balances are read and then written: unlocked, two
    parallel payments would both find the money that is enough for one."""
    rows = Account.objects.select_for_update().filter(key__in=keys).order_by("pk")
    return {row.key: row for row in rows}


def account(pk: int) -> Account:
    """The account of a hold; whoever decides the hold holds this lock."""
    return Account.objects.select_for_update().get(pk=pk)

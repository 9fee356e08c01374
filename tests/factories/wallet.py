"""A customer with money in the wallet, over HTTP, and what the house holds."""

from typing import Any

from django.db.models import F, QuerySet

from accounts.ledger import rules, selectors, services
from accounts.ledger.models import Transfer
from common import moments
from tests.factories.orders import confirm, get_payment, post
from tests.factories.users import UserFactory

WALLET = "/api/v1/wallet/"


def ask(client: Any, amount: Any, **more: Any) -> Any:
    body = {"amount": amount, "currency": "USD", "payment": {"method": "stripe"}, **more}
    return post(client, f"{WALLET}deposits/", body)


def deposit(client: Any, drain: Any, amount: str = "100.00", card: str = "pm_card_visa") -> Any:
    """A deposit's payment, paid."""
    payment = ask(client, amount).json()
    assert confirm(client, payment, card).status_code == 202
    drain()
    return get_payment(client, payment)


def balance(client: Any) -> tuple[str, str]:
    (row,) = client.get(WALLET).json()["balances"]
    assert row["currency"] == "USD"
    return row["available"], row["held"]


def house(kind: str) -> int:
    return selectors.house_balances().get((kind, "USD"), 0)


def rich(amount: int = 100_000) -> int:
    """A customer with money that no payment brought."""
    user = UserFactory()
    services.transfer_post(
        reference=f"test:{user.pk}",
        kind="gift",
        entries=rules.move(
            amount,
            debit=rules.house(rules.Kind.LOSSES, "USD"),
            credit=rules.customer(user.pk, "USD"),
        ),
    )
    return int(user.pk)


def aged(transfer: Transfer) -> Transfer:
    """Past the guard of rows that are written once: it is older than any open transaction."""
    rows = QuerySet(Transfer).filter(pk=transfer.pk)
    rows.update(created_at=F("created_at") - 2 * moments.SLACK)
    return transfer

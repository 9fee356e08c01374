"""A customer with money in the wallet, over HTTP, and what the house holds."""

from typing import Any

from accounts.ledger import selectors as ledger
from tests.factories.orders import confirm, get_payment, post

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
    return ledger.house_balances().get((kind, "USD"), 0)

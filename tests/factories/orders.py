"""A shopper who acts over HTTP, and fixtures for whoever tests orders and payments.

Import the fixtures by name into a test module, with `settled` and `own_rollbacks` in
`pytestmark = pytest.mark.usefixtures(…)`.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection

from config import invariants

ORDERS = "/api/v1/orders/"
PAYMENTS = "/api/v1/payments/"
STAFF = "/api/v1/admin/"


class _NestedConnection:
    """`in_atomic_block` as it is outside a test's own transaction."""

    def __init__(self, depth: int) -> None:
        self.depth = depth

    @property
    def in_atomic_block(self) -> bool:
        return len(connection.savepoint_ids) > self.depth

    def __getattr__(self, name: str) -> Any:
        return getattr(connection, name)


@pytest.fixture
def own_rollbacks(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every outermost `@transactional` roll back by itself, as it does in production.

    In a test's transaction it would join that one, and a refused order would stay written.
    """
    monkeypatch.setattr("common.db.connection", _NestedConnection(len(connection.savepoint_ids)))


@pytest.fixture
def settled(db: None) -> Iterator[None]:
    """No invariant is broken when the test ends."""
    yield
    found = invariants.breaches()
    assert found == [], found


def order_body(*lines: tuple[str, int], method: str = "stripe", **more: Any) -> dict[str, Any]:
    wanted = [{"product": slug, "quantity": count} for slug, count in lines]
    return {"lines": wanted, "payment": {"method": method}, **more}


def post(client: Any, url: str, body: Any = None, *, key: str | None = None) -> Any:
    headers = {"Idempotency-Key": key} if key else {}
    return client.post(url, body, format="json", headers=headers)


def place(client: Any, *lines: tuple[str, int], **more: Any) -> Any:
    """A placed order's JSON."""
    answer = post(client, ORDERS, order_body(*lines, **more))
    assert answer.status_code == 201, answer.content
    return answer.json()


def confirm(client: Any, order: Any, card: str = "pm_card_visa", key: str | None = None) -> Any:
    """The answer to a try of a card."""
    payment = order.get("payment") or order
    return post(client, f"{PAYMENTS}{payment['id']}/confirm/", {"payment_method": card}, key=key)


def buy(client: Any, drain: Callable[..., int], *lines: tuple[str, int]) -> Any:
    """A paid order's JSON."""
    order = place(client, *lines)
    assert confirm(client, order).status_code == 202
    drain()
    found = get_order(client, order)
    assert found["status"] == "paid"
    return found


def get_order(client: Any, order: Any) -> Any:
    return client.get(f"{ORDERS}{order['number']}/").json()


def get_payment(client: Any, payment: Any) -> Any:
    return client.get(f"{PAYMENTS}{payment['id']}/").json()


def refund(client: Any, payment: Any, **body: Any) -> Any:
    """The answer to a refund by staff."""
    return post(client, f"{STAFF}payments/{payment['id']}/refund/", {"reason": "test", **body})

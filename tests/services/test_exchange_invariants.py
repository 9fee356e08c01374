"""What is wrong with orders, batches or the ledger is found."""

from collections.abc import Callable
from typing import Any

import pytest

from config import invariants
from payments.exchange import selectors, services
from payments.exchange.models import ExchangeAttempt, ExchangeBatch, ExchangeOrder
from tests.factories.exchange import buy, listed, rich
from tests.factories.orders import own_rollbacks, settled
from tests.factories.users import StaffFactory

__all__ = ["own_rollbacks", "settled"]
pytestmark = [
    pytest.mark.django_db,
    pytest.mark.usefixtures("own_rollbacks", "settled", "venue", "coins"),
]
Drain = Callable[..., int]


@pytest.fixture
def coins(db: None) -> None:
    listed("ABAN")


def settled_one(drain: Drain) -> ExchangeOrder:
    buy(rich(100_00), "ABAN", "3")
    drain()
    return ExchangeOrder.objects.get()


BROKEN: dict[str, Callable[[ExchangeOrder], Any]] = {
    "a share that was not filled": lambda o: ExchangeOrder.objects.update(filled=o.filled - 1),
    "a fill that nobody got": lambda o: ExchangeBatch.objects.update(filled=o.filled + 1),
    "money that was not charged": lambda o: ExchangeOrder.objects.update(charged=o.charged - 1),
    "an order that waits in a batch that has ended": lambda o: ExchangeOrder.objects.update(
        status="settling", decided_at=None
    ),
    "a batch that is worth more than its orders": lambda o: ExchangeBatch.objects.update(
        units=o.amount + 1
    ),
    "an answer that was never given": lambda o: ExchangeAttempt.objects.update(filled=o.filled + 1),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_breach_is_found(venue: Any, drain: Drain, what: str) -> None:
    order = settled_one(drain)
    before = list(ExchangeOrder.objects.values()), list(ExchangeBatch.objects.values())
    attempts = list(ExchangeAttempt.objects.values())
    BROKEN[what](order)
    assert any(line.startswith("9 ") for line in invariants.breaches()), what
    for model, rows in ((ExchangeOrder, before[0]), (ExchangeBatch, before[1])):
        model.objects.update(**{k: v for k, v in rows[0].items() if k != "id"})
    ExchangeAttempt.objects.update(**{k: v for k, v in attempts[0].items() if k != "id"})


def test_a_batch_that_is_enough_and_open_is_found(venue: Any, drain: Drain) -> None:
    buy(rich(100_00), "ABAN", "1")
    listed_row = listed()
    type(listed_row).objects.filter(pk=listed_row.pk).update(minimum=400)
    assert any("still open" in line for line in invariants.breaches())
    services.currency_update(
        currency_id=listed_row.pk,
        price=listed_row.price,
        minimum=400,
        active=True,
        actor_id=StaffFactory().pk,
    )
    assert selectors.open_batch(listed_row.pk) is None

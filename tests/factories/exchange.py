"""Customers with money who buy coins, the venue's stand-in, and what becomes of it all."""

from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest

from accounts.ledger.rules import Kind, customer, house, move
from accounts.ledger.services import transfer_post
from payments.exchange.models import ExchangeAttempt, ExchangeBatch, ExchangeCurrency
from payments.sandbox.venue import VenueSandbox
from tests.factories.orders import post
from tests.factories.seeds import apps
from tests.factories.users import UserFactory, client_for

CURRENCIES = "/api/v1/exchange/currencies/"
ORDERS = "/api/v1/exchange/orders/"
BATCHES = "/api/v1/admin/exchange/batches/"
WALLET = "/api/v1/wallet/"
COIN = 10**8

seed: Any = import_module("migrations_seed.migrations.0002_exchange")


@pytest.fixture(scope="session")
def _venue() -> Iterator[VenueSandbox]:
    with VenueSandbox() as made:
        yield made


@pytest.fixture
def venue(_venue: VenueSandbox, settings: Any) -> Iterator[VenueSandbox]:
    """The exchange venue's stand-in over real HTTP, with an empty log of calls."""
    settings.EXCHANGE_VENUE_URL = _venue.url
    _venue.clear()
    yield _venue
    _venue.clear()


def listed(symbol: str = "ABAN") -> ExchangeCurrency:
    """A coin of the migrations, which tests that flush tables take away."""
    if not ExchangeCurrency.objects.filter(symbol=symbol).exists():
        seed.add(apps, None)
    return ExchangeCurrency.objects.get(symbol=symbol)


_gifts = iter(range(1, 10**9))


def fund(user: Any, cents: int) -> Any:
    """Put money into a wallet; the user again."""
    # No payment is held against it, as one is against the clearing accounts.
    clearing = house(Kind.LOSSES, "USD")
    transfer_post(
        reference=f"gift:{user.pk}:{next(_gifts)}:{user.uid}",
        kind="deposit",
        entries=move(cents, debit=clearing, credit=customer(user.pk, "USD")),
    )
    return user


def rich(cents: int = 100_000) -> Any:
    """A client of a new user who has so much money."""
    return client_for(fund(UserFactory(), cents))


def ask(client: Any, currency: str = "ABAN", amount: Any = "1", **more: Any) -> Any:
    key = more.pop("key", None)
    return post(client, ORDERS, {"currency": currency, "amount": amount, **more}, key=key)


def buy(client: Any, currency: str = "ABAN", amount: str = "1") -> Any:
    """A placed order's JSON."""
    answer = ask(client, currency, amount)
    assert answer.status_code == 201, answer.content
    return answer.json()


def again(client: Any, order: Any) -> Any:
    """The order as it is now."""
    return client.get(f"{ORDERS}{order['id']}/").json()


def wallet(client: Any) -> dict[str, tuple[str, str]]:
    """What is available and held, by currency."""
    rows = client.get(WALLET).json()["balances"]
    return {row["currency"]: (row["available"], row["held"]) for row in rows}


def purchases(venue: VenueSandbox) -> list[tuple[str, str]]:
    """What the venue was asked to buy, in order: currency and amount."""
    bodies = [call["body"] for call in venue.calls("POST")]
    return [(body["currency"], body["amount"]) for body in bodies]


def bought(venue: VenueSandbox) -> dict[str, str]:
    """What this test's attempts bought at the venue, by client_order_id."""
    mine = set(ExchangeAttempt.objects.values_list("client_order_id", flat=True))
    rows = [row for row in venue.bought() if row["client_order_id"] in mine]
    assert len({row["client_order_id"] for row in rows}) == len(rows)
    return {row["client_order_id"]: row["filled"] for row in rows}


def the_batch() -> ExchangeBatch:
    return ExchangeBatch.objects.get(members__gt=0)

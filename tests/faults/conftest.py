"""A shop of real processes on the test's own database, with a Redis that may be killed."""

import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx
import pytest
from django.db import connection

from accounts.sessions.services import session_start
from payments.sandbox.stripe import StripeSandbox
from tests.factories.users import UserFactory
from tests.faults.processes import Shop, servers


@pytest.fixture(autouse=True)
def _on_mysql() -> None:
    assert connection.vendor == "mysql", "run me through: python .ci/servers.py run -- pytest"


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[Any]:
    """A Redis of the test's own, which forgets what it had when it is killed."""
    server = servers.start_redis(tmp_path / "redis")
    yield server
    server.stop()


@pytest.fixture
def stripe_world(tmp_path: Path) -> Iterator[StripeSandbox]:
    """A Stripe whose webhooks never come, unless a test delivers them."""
    path = tmp_path / f"{uuid.uuid4().hex}.sqlite3"
    with StripeSandbox(path, webhook_secret="whsec_tests") as sandbox:
        yield sandbox


@pytest.fixture
def shop(
    transactional_db: None, tmp_path: Path, redis_server: Any, stripe_world: StripeSandbox
) -> Iterator[Shop]:
    """Nothing runs yet; whatever a test starts is killed after it."""
    parts = urlsplit(os.environ["TEST_DATABASE_URL"])
    database = urlunsplit(parts._replace(path="/" + str(connection.settings_dict["NAME"])))
    made = Shop(
        tmp_path,
        database_url=database,
        redis_url=redis_server.url,
        stripe_url=stripe_world.url,
    )
    yield made
    made.stop()


class Customer:
    """A signed-in customer who talks to the web process."""

    def __init__(self, shop: Shop, token: str) -> None:
        self.client = httpx.Client(
            base_url=shop.url + "/api/v1/",
            headers={"Authorization": f"Bearer {token}"},
            timeout=30,
            trust_env=False,
        )

    def order(self, slug: str, **headers: str) -> httpx.Response:
        body = {"lines": [{"product": slug, "quantity": 1}], "payment": {"method": "stripe"}}
        return self.client.post("orders/", json=body, headers=headers)

    def confirm(self, payment: str, card: str = "pm_card_visa") -> httpx.Response:
        return self.client.post(f"payments/{payment}/confirm/", json={"payment_method": card})

    def buy(self, slug: str) -> str:
        """Order one unit and confirm its payment; the order's number."""
        placed = self.order(slug)
        assert placed.status_code == 201, placed.text
        answer = self.confirm(placed.json()["payment"]["id"])
        assert answer.status_code == 202, answer.text
        return str(placed.json()["number"])


@pytest.fixture
def customer(shop: Shop) -> Customer:
    return Customer(shop, session_start(user_id=UserFactory().pk).access)

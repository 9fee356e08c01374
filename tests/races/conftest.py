"""Fixtures of the races."""

from typing import Any

import pytest
from django.db import connection

from common.outbox import services as outbox
from payments.stripe.port import StripeGateway


@pytest.fixture(autouse=True)
def _on_mysql() -> None:
    # SQLite ignores row locks and proves nothing here: a failure, not a skip.
    assert connection.vendor == "mysql", "run me through: python .ci/servers.py run -- pytest"


@pytest.fixture(autouse=True)
def _no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages stay in the outbox until a test runs them."""
    monkeypatch.setattr(outbox, "send", lambda *args: None)


@pytest.fixture
def no_stripe(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Orders are placed without asking Stripe for an intent: no HTTP takes part in the race."""
    monkeypatch.setattr(StripeGateway, "open", lambda self, payment_id: None)

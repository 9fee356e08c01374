"""Fixtures of the races."""

import pytest
from django.db import connection

from common.outbox import services as outbox


@pytest.fixture(autouse=True)
def _on_mysql() -> None:
    # SQLite ignores row locks and proves nothing here: a failure, not a skip.
    assert connection.vendor == "mysql", "run me through: python .ci/servers.py run -- pytest"


@pytest.fixture(autouse=True)
def _no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages stay in the outbox until a test runs them."""
    monkeypatch.setattr(outbox, "send", lambda *args: None)

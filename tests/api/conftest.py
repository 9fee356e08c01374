"""Every answer that a test of the API gets must be one that the document has."""

from collections.abc import Iterator

import pytest

from payments.chain import gateway
from tests.api.documented import watched
from tests.factories.chain import in_process


@pytest.fixture(autouse=True)
def _chain_in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing listens at CHAIN_RPC_URL here."""
    monkeypatch.setattr(gateway, "_post", lambda body: in_process(body)[1])


@pytest.fixture(autouse=True)
def undocumented(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What the document did not have; a control that provokes such an answer empties it."""
    found = watched(monkeypatch)
    yield found
    assert found == []

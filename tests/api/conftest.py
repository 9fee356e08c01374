"""Every answer that a test of the API gets must be one that the document has."""

from collections.abc import Iterator

import pytest

from tests.api.documented import watched


@pytest.fixture(autouse=True)
def undocumented(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What the document did not have; a control that provokes such an answer empties it."""
    found = watched(monkeypatch)
    yield found
    assert found == []

"""Fixtures of pages."""

from typing import Any

import pytest
from django.utils import translation


@pytest.fixture
def foreign(monkeypatch: pytest.MonkeyPatch) -> None:
    """A language in which every translated text stands in angle quotes."""
    ours: Any = translation._trans  # type: ignore[attr-defined]
    monkeypatch.setattr(ours, "gettext", lambda text: f"«{text}»")
    monkeypatch.setattr(ours, "ngettext", lambda one, many, n: f"«{one if n == 1 else many}»")

"""Controls of `tests/api/conftest.py`: what the document leaves out does not pass unseen."""

from copy import deepcopy
from typing import Any

import pytest
from rest_framework.test import APIClient

from tests.api import documented, hostile

pytestmark = pytest.mark.django_db
ME = "/api/v1/auth/me/"


@pytest.fixture
def responses(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Those of one operation, to be changed for one test."""
    changed = deepcopy(hostile.document())
    monkeypatch.setattr(documented, "document", lambda: changed)
    return changed["paths"][ME]["get"]["responses"]


def seen(undocumented: list[str]) -> list[str]:
    assert APIClient().get(ME).status_code == 401
    found = list(undocumented)
    undocumented.clear()
    return found


def test_what_is_documented_passes(responses: Any, undocumented: list[str]) -> None:
    assert seen(undocumented) == []


def test_control_a_status_that_is_not_documented(responses: Any, undocumented: list[str]) -> None:
    del responses["401"]
    assert seen(undocumented) == [f"GET {ME}: 401"]


def test_control_a_code_that_is_not_documented(responses: Any, undocumented: list[str]) -> None:
    problem = responses["401"]["content"]["application/problem+json"]["schema"]
    problem["allOf"][1]["properties"]["code"]["enum"].remove("not_authenticated")
    assert seen(undocumented) == [f"GET {ME}: 401 not_authenticated"]

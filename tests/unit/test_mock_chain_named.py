"""Where the settings do not name the mock chain, there is none."""

import importlib.util
from pathlib import Path
from typing import Any

from payments.chain.node import tasks

URLS = Path(__file__).resolve().parents[2] / "config" / "urls.py"


def routes() -> set[str]:
    """Those of a process that starts with the present settings."""
    spec = importlib.util.spec_from_file_location("fresh_urls", URLS)
    assert spec is not None
    assert spec.loader is not None
    found: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return {str(one.pattern) for one in found.urlpatterns}


def test_the_route_is_there_only_where_it_is_named(settings: Any) -> None:
    assert "mockchain/" in routes()
    settings.MOCK_CHAIN = False
    assert "mockchain/" not in routes()


def test_nothing_is_mined_without_a_mock_chain(settings: Any) -> None:
    """Any query would fail: this test has no database."""
    settings.MOCK_CHAIN = False
    assert tasks.mine() is False

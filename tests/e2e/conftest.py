"""A shop of its own for each file that looks at its pages, and windows to look at them."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.looking import Open
from tests.e2e.shop import Shop
from tests.e2e.windows import Window, chromium

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / ".ci"))

import nodetools  # found by the line above


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    running = Shop(Path(tmp_path_factory.mktemp("souk")))
    yield running
    running.kill()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as made:
        yield made


@pytest.fixture
def window(shop: Shop, browser: Any) -> Iterator[Open]:
    """Opens windows, and closes them when all was well with each."""
    opened: list[Window] = []

    def open_one(**how: Any) -> Window:
        opened.append(Window(browser, f"http://127.0.0.1:{shop.port}", **how))
        return opened[-1]

    yield open_one
    complaints = [window.complaints for window in opened]
    for each in opened:
        each.close()
    assert [found for found in complaints if found] == []


@pytest.fixture(scope="module")
def axe() -> str:
    return (nodetools.packages() / "node_modules/axe-core/axe.min.js").read_text()

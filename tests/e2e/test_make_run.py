"""The embedded shop as a process: bought from, restarted, and ended by Ctrl-C."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.shop import Shop

PAID_SECONDS = 120


def eventually(check: Callable[[], bool], seconds: float = PAID_SECONDS) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if check():
            return True
        time.sleep(0.1)
    return False


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(tmp_path_factory.mktemp("souk"))


@pytest.fixture(scope="module")
def shop(state: Path) -> Iterator[Shop]:
    running = Shop(state)
    yield running
    if running.process.poll() is None:
        running.interrupt()


def test_the_banner_says_where_to_go_and_who_to_be(shop: Shop) -> None:
    for expected in (f":{shop.port}/api/docs/", "/admin/", "testuser / password123", "curl"):
        assert expected in shop.printed


def test_a_customer_buys_the_lamp_with_a_card(shop: Shop) -> None:
    shop.register("buyer@example.org")
    before = shop.available("lamp")
    order = shop.order("lamp")
    assert shop.confirm(order, "pm_card_visa_chargeDeclined") == 402
    assert shop.confirm(order, "pm_card_visa") == 202
    path = f"orders/{order['number']}/"
    assert eventually(lambda: shop.get(path)["status"] == "paid")
    assert shop.available("lamp") == before - 1
    assert [line["order"] for line in shop.get("purchases/")["results"]] == [order["number"]]


def test_a_cancelled_order_gives_its_stock_back(shop: Shop) -> None:
    shop.register("changed-their-mind@example.org")
    before = shop.available("chair")
    order = shop.order("chair")
    assert shop.available("chair") == before - 1
    assert shop.call("POST", f"orders/{order['number']}/cancel/")[0] == 200
    assert shop.available("chair") == before


def test_ctrl_c_ends_all_of_it_and_a_restart_keeps_everything(shop: Shop, state: Path) -> None:
    shop.register("stays@example.org")
    order = shop.order("table")
    lamps = shop.available("lamp")
    assert shop.interrupt() == 0
    with pytest.raises(ProcessLookupError):
        os.killpg(shop.process.pid, 0)
    again = Shop(state)
    try:
        again.access = shop.access
        assert "demo customer" not in again.printed
        assert again.available("lamp") == lamps
        assert again.get(f"orders/{order['number']}/")["status"] == "pending_payment"
        assert again.confirm(order, "pm_card_visa") == 202
        assert eventually(lambda: again.get(f"orders/{order['number']}/")["status"] == "paid")
    finally:
        again.interrupt()

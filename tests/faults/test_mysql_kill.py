"""MySQL killed in the middle of a sale: no acknowledged order is lost, errors are clean."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import MySQLdb
import pytest
import redis

from payments.sandbox.stripe import StripeSandbox
from tests.faults.conftest import Customer
from tests.faults.processes import Shop, servers, wait_until
from tests.sizes import LOOSE

pytestmark = pytest.mark.timeout(900)

BUYERS = 4


@pytest.fixture
def mysql_server(tmp_path: Path) -> Iterator[Any]:
    server = servers.start_mysql(tmp_path / "mysql")
    yield server
    server.stop()


def fill(url: str, statements: str) -> None:
    """Make the tables and rows of a dump."""
    at = urlsplit(url)
    place = {"host": at.hostname, "port": at.port, "user": at.username, "password": at.password}
    with closing(MySQLdb.connect(**place, database=at.path[1:], charset="utf8mb4")) as session:
        cursor = session.cursor()
        cursor.execute(statements)
        while cursor.nextset():
            pass
        session.commit()


@pytest.fixture
def own_shop(
    tmp_path: Path,
    mysql_server: Any,
    redis_server: Any,
    stripe_world: StripeSandbox,
    django_db_setup: None,
    migrated: Path,
) -> Iterator[Shop]:
    """A shop on a MySQL of its own, migrated and seeded."""
    fill(mysql_server.url, migrated.read_text())
    shop = Shop(
        tmp_path,
        database_url=mysql_server.url,
        redis_url=redis_server.url,
        stripe_url=stripe_world.url,
    )
    yield shop
    shop.stop()


def register(shop: Shop, number: int) -> Customer:
    answer = httpx.post(
        f"{shop.url}/api/v1/auth/register/",
        json={"email": f"buyer{number}@example.org", "password": "correct-horse-battery-9"},
        timeout=30,
        trust_env=False,
    )
    assert answer.status_code == 201, answer.text
    return Customer(shop, answer.json()["access"])


class Buyer(threading.Thread):
    """Orders and pays again and again; keeps what was acknowledged, and every other answer."""

    def __init__(self, customer: Customer, stop: threading.Event) -> None:
        super().__init__()
        self.customer, self.stop = customer, stop
        self.orders: list[str] = []
        self.confirmed: list[str] = []
        self.answers: Counter[int | str] = Counter()

    def run(self) -> None:
        number = 0
        while not self.stop.is_set():
            number += 1
            placed = self._call(
                lambda n=number: self.customer.order("lamp", **{"Idempotency-Key": f"order-{n}"})
            )
            if placed is None or placed.status_code != 201:
                continue
            self.orders.append(placed.json()["number"])
            payment = placed.json()["payment"]["id"]
            answer = self._call(lambda p=payment: self.customer.confirm(p))
            if answer is not None and answer.status_code == 202:
                self.confirmed.append(placed.json()["number"])

    def _call(self, call: Any) -> httpx.Response | None:
        try:
            answer: httpx.Response = call()
        except httpx.HTTPError as error:
            self.answers[type(error).__name__] += 1
            return None
        self.answers[answer.status_code] += 1
        if answer.status_code >= 500:
            assert answer.headers["Content-Type"] == "application/problem+json", answer.text
            time.sleep(0.1)
        return answer

    def status_of(self, number: str) -> str:
        answer = self.customer.client.get(f"orders/{number}/")
        return str(answer.json()["status"]) if answer.status_code == 200 else answer.text


def settled(buyers: list[Buyer]) -> bool:
    return all(b.status_of(number) == "paid" for b in buyers for number in b.confirmed)


def sale_with_a_kill(shop: Shop, mysql_server: Any, redis_url: str) -> list[Buyer]:
    """Buyers at work while MySQL is killed and started; the worker lags behind them."""
    shop.start_web()
    shop.start_worker(FAULT_QUICK="1", FAULT_POINT="retrieve_intent:slow")
    stop = threading.Event()
    buyers = [Buyer(register(shop, number), stop) for number in range(BUYERS)]
    for buyer in buyers:
        buyer.start()
    try:
        wait_until(lambda: confirmed(buyers) >= 8, seconds=60 * LOOSE)
        mysql_server.kill()
        # What was waiting for the worker is taken now, and there is no database to do it in.
        queue = redis.Redis.from_url(redis_url)
        wait_until(lambda: queue.llen("payments") == 0, seconds=30 * LOOSE)
        wait_until(lambda: all(sum(b.answers.values()) > 2 for b in buyers), seconds=30 * LOOSE)
        mysql_server.start()
        before = confirmed(buyers)
        wait_until(lambda: confirmed(buyers) >= before + 4, seconds=60 * LOOSE)
    finally:
        stop.set()
        for buyer in buyers:
            buyer.join()
    answers = sum((b.answers for b in buyers), Counter[int | str]())
    print(answers)
    # 409: stock that ran out, or a key whose first call died; 503: no database.
    assert set(answers) <= {201, 202, 409, 503}, shop.log("web")
    return buyers


def confirmed(buyers: list[Buyer]) -> int:
    return sum(len(buyer.confirmed) for buyer in buyers)


@pytest.mark.proof(
    "SIGKILL of MySQL",
    size=f"{BUYERS} buyers at work",
    control="test_control_without_sweep_and_poll_payments_of_the_sale_stay_unsettled",
)
def test_mysql_killed_in_the_middle_of_a_sale(
    own_shop: Shop, mysql_server: Any, redis_server: Any, stripe_world: StripeSandbox
) -> None:
    own_shop.start_beat(FAULT_QUICK="1")
    buyers = sale_with_a_kill(own_shop, mysql_server, redis_server.url)
    took = wait_until(
        lambda: settled(buyers), seconds=60 * LOOSE, why=lambda: own_shop.log("worker")
    )
    print(f"settled {took:.1f} s after the sale")
    for buyer in buyers:
        assert all(
            buyer.status_of(number) in ("paid", "pending_payment") for number in buyer.orders
        )
    charged = Counter(charge["payment_intent"] for charge in stripe_world.charges())
    assert set(charged.values()) == {1}
    assert "invariants hold" in own_shop.manage("check_invariants")


@pytest.mark.at_length("the killed worker's control")
def test_control_without_sweep_and_poll_payments_of_the_sale_stay_unsettled(
    own_shop: Shop, mysql_server: Any, redis_server: Any
) -> None:
    buyers = sale_with_a_kill(own_shop, mysql_server, redis_server.url)
    queue = redis.Redis.from_url(redis_server.url)
    wait_until(lambda: queue.llen("payments") == 0, seconds=60 * LOOSE)
    with pytest.raises(AssertionError):
        wait_until(lambda: settled(buyers), seconds=8)
    assert any(b.status_of(n) == "paid" for b in buyers for n in b.confirmed)

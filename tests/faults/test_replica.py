"""A real replica of MySQL: reads that may lag go there, within the bound; decisions never do."""

import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import MySQLdb
import pytest

from payments.sandbox.stripe import StripeSandbox
from tests.faults.processes import Shop, servers, wait_until
from tests.faults.test_mysql_kill import fill
from tests.sizes import LOOSE

pytestmark = [
    pytest.mark.at_length("tests/unit/test_replicas.py"),
    pytest.mark.timeout(1200),
]

# A slow machine's requests are slower than the moments in which a replica is proved fresh.
BOUND = 4.0
GTID = ("--gtid-mode=ON", "--enforce-gtid-consistency=ON")
SLUG = "lamp"


class Server:
    """A MySQL of the test's own, and statements to it."""

    def __init__(self, folder: Path, number: int) -> None:
        self.server = servers.start_mysql(folder, (*GTID, f"--server-id={number}"))
        self.at = urlsplit(self.server.url)

    def run(self, *statements: str) -> Any:
        """The first row of the last one."""
        at = self.at
        place = {"host": at.hostname, "port": at.port, "user": at.username, "password": at.password}
        with closing(MySQLdb.connect(**place, database=at.path[1:], autocommit=True)) as session:
            cursor = session.cursor()
            for statement in statements:
                cursor.execute(statement)
            return cursor.fetchone()

    def reset(self) -> None:
        """Forget the transactions of its own start: a replica would repeat the primary's."""
        major, minor = (int(part) for part in self.server.version.split(".")[:2])
        words = "BINARY LOGS AND GTIDS" if (major, minor) >= (8, 2) else "MASTER"
        self.run(f"RESET {words}")


@pytest.fixture(scope="module")
def primary(tmp_path_factory: Any) -> Iterator[Server]:
    """Both are made once: that takes longer than the tests."""
    made = Server(tmp_path_factory.mktemp("primary") / "mysql", 1)
    made.reset()
    yield made
    made.server.stop()


@pytest.fixture(scope="module")
def made_replica(
    tmp_path_factory: Any, primary: Server, django_db_setup: None, migrated: Path
) -> Iterator[Server]:
    made = Server(tmp_path_factory.mktemp("replica") / "mysql", 2)
    made.reset()
    made.run(
        "CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.1', "
        f"SOURCE_PORT={primary.at.port}, SOURCE_USER='root', "
        f"SOURCE_PASSWORD='{primary.at.password}', SOURCE_AUTO_POSITION=1, "
        "GET_SOURCE_PUBLIC_KEY=1, SOURCE_CONNECT_RETRY=1",
        "START REPLICA",
        "SET GLOBAL super_read_only = ON",
    )
    fill(primary.server.url, migrated.read_text())
    yield made
    made.server.stop()


@pytest.fixture
def replica(primary: Server, made_replica: Server) -> Server:
    """At work, and with all that the primary has."""
    made_replica.run("START REPLICA")
    wait_until(lambda: same(primary, made_replica), seconds=60 * LOOSE)
    return made_replica


def same(primary: Server, replica: Server) -> bool:
    (done,) = primary.run("SELECT @@GLOBAL.gtid_executed")
    return bool(replica.run(f"SELECT GTID_SUBSET('{done}', @@GLOBAL.gtid_executed)")[0])


@pytest.fixture
def shop(
    tmp_path: Path, primary: Server, replica: Server, redis_server: Any, stripe_world: StripeSandbox
) -> Iterator[Shop]:
    made = Shop(
        tmp_path,
        database_url=primary.server.url,
        redis_url=redis_server.url,
        stripe_url=stripe_world.url,
    )
    made.environment |= {
        "DATABASE_REPLICA_URL": replica.server.url,
        "REPLICA_LAG_SECONDS": str(BOUND),
        # A page that is kept for a moment may be as much older than the replica it was read from.
        "SHELF_SECONDS": "0",
    }
    yield made
    made.stop()


@pytest.fixture
def client(shop: Shop) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=shop.url + "/api/v1/", timeout=20, trust_env=False) as made:
        yield made


def name(client: httpx.Client) -> str:
    answer = client.get(f"products/{SLUG}/")
    assert answer.status_code == 200, answer.text
    return str(answer.json()["name"])


def rename(primary: Server) -> str:
    new = f"Lamp {uuid.uuid4().hex[:8]}"
    primary.run(f"UPDATE shop_product SET name = '{new}' WHERE slug = '{SLUG}'")
    return new


def selects(server: Server) -> int:
    return int(server.run("SHOW GLOBAL STATUS LIKE 'Com_select'")[1])


def settle(client: httpx.Client, replica: Server) -> None:
    """Until reads go to the replica: the first ones prove that it is fresh."""

    def used() -> bool:
        before = selects(replica)
        name(client)
        return selects(replica) - before > 2

    wait_until(used, seconds=120 * LOOSE)


@pytest.mark.proof(
    "Reads from a replica of MySQL within the bound",
    size=f"a replica that stops, {BOUND} s",
    control="test_control_without_a_bound_a_replica_that_stops_is_believed",
)
def test_a_replica_that_falls_behind_is_left_after_the_bound(
    shop: Shop, client: httpx.Client, primary: Server, replica: Server, record_property: Any
) -> None:
    shop.start_web()
    settle(client, replica)
    replica.run("STOP REPLICA SQL_THREAD")
    new = rename(primary)
    renamed, believed, asked = time.monotonic(), 0.0, 0.0
    while name(client) != new:
        # How long after the change the last read began that was answered by the replica.
        believed, asked = asked, time.monotonic() - renamed
        assert believed < BOUND
    record_property("shown", f"a replica that had stopped was believed for {believed:.1f} s")
    replica.run("START REPLICA SQL_THREAD")
    settle(client, replica)


def test_control_without_a_bound_a_replica_that_stops_is_believed(
    shop: Shop, client: httpx.Client, primary: Server, replica: Server
) -> None:
    shop.start_web(REPLICA_LAG_SECONDS="3600")
    settle(client, replica)
    replica.run("STOP REPLICA SQL_THREAD")
    new = rename(primary)
    time.sleep(BOUND + 1)
    assert name(client) != new


def test_decisions_are_the_primarys(
    shop: Shop, client: httpx.Client, primary: Server, replica: Server
) -> None:
    """With a bound of an hour: what the replica still has for sale cannot be bought."""
    shop.start_web(REPLICA_LAG_SECONDS="3600")
    settle(client, replica)
    account = {"email": f"{uuid.uuid4().hex}@example.org", "password": "a-long-enough-passphrase"}
    access = client.post("auth/register/", json=account).json()["access"]
    wait_until(lambda: same(primary, replica), seconds=120 * LOOSE)
    replica.run("STOP REPLICA SQL_THREAD")
    primary.run(
        "UPDATE shop_stock JOIN shop_product ON shop_product.id = shop_stock.product_id "
        f"SET on_hand = held WHERE slug = '{SLUG}'"
    )
    assert client.get(f"products/{SLUG}/").json()["in_stock"] is True
    body = {"lines": [{"product": SLUG, "quantity": 1}], "payment": {"method": "stripe"}}
    own = {"Authorization": f"Bearer {access}"}
    answer = client.post("orders/", json=body, headers=own)
    assert (answer.status_code, answer.json()["code"]) == (409, "out_of_stock")


def test_a_replica_that_is_away_is_not_missed(
    shop: Shop, client: httpx.Client, replica: Server
) -> None:
    # Who waited for it would wait for so long.
    shop.start_web(MYSQL_CONNECT_TIMEOUT="60")
    settle(client, replica)
    replica.server.kill()
    started = time.monotonic()
    for _ in range(20):
        name(client)
    assert time.monotonic() - started < 60 * LOOSE
    replica.server.start()
    replica.run("START REPLICA")
    settle(client, replica)

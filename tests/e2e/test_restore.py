"""A database dumped and restored is the same shop: invariants hold, and Stripe agrees."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
from django.db import connection

from accounts.ledger.models import Posting
from common.outbox import services as outbox
from payments.intake.models import Payment
from shop.inventory.models import Stock
from tests.e2e import dumps
from tests.factories.orders import place, refund
from tests.factories.reconcile import Shop, disputed, run, sandbox, shop, stripe_clock
from tests.factories.wallet import deposit
from tests.faults.processes import Shop as Processes

__all__ = ["sandbox", "shop", "stripe_clock"]
pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("real_mysql"),
    pytest.mark.timeout(900),
]


@pytest.fixture(autouse=True)
def _no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "send", lambda *args: None)


@pytest.fixture
def restored(shop: Shop) -> Iterator[str]:
    """The name of a second database, restored from a dump of a shop that has traded."""
    trade(shop)
    name = f"{connection.settings_dict['NAME']}_restored"
    dumps.restore(dumps.dump(str(connection.settings_dict["NAME"])), name)
    yield name
    dumps.drop(name)


def trade(shop: Shop) -> None:
    """A sale, a refund of a part, a deposit that buys, a dispute, and an order that is open."""
    shop.bought()
    assert refund(shop.staff, shop.bought()["payment"], amount="4.00").status_code == 201
    deposit(shop.api, shop.drain)
    place(shop.api, ("a", 1), method="wallet")
    disputed(shop)
    assert run()[0] == 0
    shop.placed()
    shop.drain(later=True)
    ends = Payment.objects.values_list("status", flat=True)
    assert sorted(ends) == ["awaiting", "review", *["succeeded"] * 4]


@pytest.fixture
def processes(restored: str, sandbox: Any, tmp_path: Path) -> Processes:
    """Commands run on the restored database."""
    parts = urlsplit(os.environ["TEST_DATABASE_URL"])
    return Processes(
        tmp_path,
        database_url=urlunsplit(parts._replace(path=f"/{restored}")),
        redis_url=os.environ["TEST_REDIS_URL"],
        stripe_url=sandbox.url,
    )


@pytest.mark.proof(
    "Dump and restore",
    size="a sale, a refund, a deposit, a dispute, an open order",
    control="test_control_a_restored_row_that_differs_is_found",
)
def test_a_restored_dump_is_the_shop_it_was(
    restored: str, processes: Processes, record_property: Any
) -> None:
    way = "mysqldump" if dumps.with_mysqldump() else "statements of our own"
    record_property("shown", f"dumped by {way}")
    assert "invariants hold" in processes.manage("check_invariants")
    assert "0 mended, 0 left" in processes.manage("reconcile")
    assert rows(restored) == rows(str(connection.settings_dict["NAME"]))


def rows(database: str) -> list[str]:
    """What a dump says, but for the comments of mysqldump, which tell the time."""
    return [line for line in dumps.dump(database).splitlines() if not line.startswith("--")]


@pytest.mark.parametrize(
    ("model", "column"),
    [
        pytest.param(Posting, "amount", id="posting"),
        pytest.param(Stock, "on_hand", id="stock", marks=pytest.mark.at_length("the posting")),
    ],
)
def test_control_a_restored_row_that_differs_is_found(
    restored: str, processes: Processes, model: Any, column: str
) -> None:
    table = f"`{restored}`.`{model._meta.db_table}`"
    assert dumps.execute(f"UPDATE {table} SET {column} = {column} + 1 LIMIT 1") == 1
    with pytest.raises(AssertionError, match="breaches"):
        processes.manage("check_invariants")

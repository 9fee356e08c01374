"""A long history, summed up: the same figures as the orders give, at each moment."""

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from common import clock
from config import invariants
from payments.checkout.selectors import history_differences
from payments.checkout.services import histories_count, histories_recount, history
from shop.orders import services as orders
from shop.orders.models import Order, OrderLine, PastPurchases
from tests.factories.orders import buy, own_rollbacks, place, refund, settled
from tests.factories.shop import ProductFactory
from tests.factories.users import UserFactory, client_for
from tests.factories.wallet import deposit

__all__ = ["own_rollbacks", "settled"]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_rollbacks", "settled", "sandbox")]
BASE = "/api/v1/purchases/"


@pytest.fixture(autouse=True)
def _few_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "LEAST", 1)


@pytest.fixture
def bought(api: Any, drain: Any, customer: Any) -> list[Any]:
    """Orders by card and from the wallet: of yesterday, of six minutes ago, and of now."""
    for slug, price in (("a", 1000), ("b", 333), ("c", 50)):
        ProductFactory(slug=slug, name=slug.upper(), list_price=price, stock=50)
    deposit(api, drain, "500.00")
    made = [
        moved(buy(api, drain, ("a", 3), ("b", 1)), days=40),
        moved(place(api, ("a", 1), method="wallet"), minutes=6),
        place(api, ("c", 2), ("a", 1), method="wallet"),
    ]
    place(api, ("b", 9))
    place(rich_stranger(drain), ("b", 2), method="wallet")
    return made


def rich_stranger(drain: Any) -> Any:
    stranger = client_for(UserFactory())
    deposit(stranger, drain, "50.00")
    return stranger


def moved(order: Any, **back: float) -> Any:
    """The purchase lies that far in the past."""
    moment = clock.now() - timedelta(**back)
    Order.objects.filter(number=order["number"]).update(paid_at=moment)
    OrderLine.objects.filter(order__number=order["number"]).update(purchased_at=moment)
    return order


def shown(api: Any) -> Any:
    return api.get(f"{BASE}items/").json()["results"], api.get(f"{BASE}summary/").json()


def test_sums_and_what_came_since_are_what_the_orders_say(
    api: Any, bought: Any, customer: Any
) -> None:
    before = shown(api)
    assert histories_count() == 1
    past = PastPurchases.objects.get()
    assert (past.user_id, len(past.products), len(past.methods)) == (customer.pk, 2, 2)
    assert shown(api) == before
    items = {row["product"]: row for row in before[0]}
    assert (items["a"]["quantity"], items["a"]["orders"], items["a"]["spent"]) == (5, 3, "50.00")
    assert before[0][-1]["product"] == "b"
    assert (before[1]["orders"], before[1]["items"], before[1]["paid"]) == (3, 8, "54.33")


def test_who_has_bought_little_is_not_summed_up(api: Any, bought: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(history, "LEAST", 100)
    assert histories_count() == 0
    assert not PastPurchases.objects.exists()


def test_who_bought_long_ago_is_counted_when_he_buys_again_or_all_are(
    api: Any, bought: Any
) -> None:
    for order in bought:
        moved(order, days=2)
    assert histories_count() == 0
    assert histories_recount() == 1
    PastPurchases.objects.all().delete()
    moved(bought[0], seconds=1)
    assert histories_count() == 1


@pytest.mark.parametrize("counted_again", [False, True])
def test_a_refund_of_what_was_summed_is_seen_at_once(
    api: Any, staff_api: Any, bought: Any, counted_again: bool
) -> None:
    histories_count()
    lines = [{"product": "a", "quantity": 1}]
    assert refund(staff_api, bought[1]["payment"], lines=lines).status_code == 201
    assert PastPurchases.objects.get().until is None
    if counted_again:
        assert histories_count() == 1
        assert PastPurchases.objects.get().until is not None
    items, summary = shown(api)
    [row] = [row for row in items if row["product"] == "a"]
    assert (row["quantity"], row["refunded_amount"]) == (4, "10.00")
    assert (summary["refunded"], summary["items"]) == ("10.00", 7)
    assert {m["method"]: m["spent"] for m in summary["by_method"]} == {
        "stripe": "33.33",
        "wallet": "11.00",
    }


def test_control_sums_that_nobody_makes_void_miss_the_refund(
    api: Any, staff_api: Any, bought: Any, monkeypatch: Any
) -> None:
    histories_count()
    with monkeypatch.context() as patch:
        patch.setattr(orders, "past_void", lambda order: None)
        assert refund(staff_api, bought[1]["payment"], amount="10.00").status_code == 201
    assert shown(api)[1]["refunded"] == "0.00"
    assert any("past purchases" in line for line in invariants.breaches())
    with pytest.raises(CommandError):
        call_command("rebuild_statistics", check=True, stdout=StringIO(), stderr=StringIO())
    call_command("rebuild_statistics", stdout=StringIO())
    assert shown(api)[1]["refunded"] == "10.00"
    assert not [*history_differences()]


def test_the_pages_of_a_long_history_read_as_few_rows_as_those_of_a_short_one(
    api: Any, bought: Any
) -> None:
    """Lines that are summed are not read: of those alone there is one more query for names."""
    for order in bought:
        moved(order, days=1)
    histories_recount()
    with CaptureQueriesContext(connection) as caught:
        api.get(f"{BASE}summary/")
    asked = [query["sql"] for query in caught if "shop_orderline" in query["sql"]]
    assert asked
    assert all("`purchased_at` > " in sql for sql in asked)


def test_items_by_cursor_come_without_gaps_or_repeats(api: Any, bought: Any) -> None:
    # An order of two products has one moment, of which a cursor of one row sees one end only.
    moved(bought[1], seconds=-1)
    histories_count()
    seen: list[str] = []
    url: str | None = f"{BASE}items/?page_size=1"
    while url:
        page = api.get(url).json()
        seen += [row["product"] for row in page["results"]]
        url = page["next"]
    assert seen == ["a", "c", "b"]
    last = api.get(f"{BASE}items/?page_size=1").json()["next"]
    second = api.get(last).json()
    assert [row["product"] for row in api.get(second["previous"]).json()["results"]] == seen[:1]

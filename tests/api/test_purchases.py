"""What a customer has bought: figures against a table worked out by hand."""

from datetime import UTC, datetime
from typing import Any

import pytest
from rest_framework.test import APIClient

from shop.orders.models import Order, OrderLine
from tests.factories.orders import buy, own_rollbacks, place, refund, settled
from tests.factories.shop import ProductFactory
from tests.factories.users import UserFactory, client_for

__all__ = ["own_rollbacks", "settled"]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_rollbacks", "settled", "sandbox")]
BASE = "/api/v1/purchases/"


@pytest.fixture
def history(api: Any, staff_api: Any, drain: Any) -> Any:
    """January: 3 a (30.00) + 1 b (3.33); February: 1 a (10.00); an unpaid order; a stranger's.

    Refunded: one a of January as a line, and 3.33 of the rest by amount: a 2.85, b 0.48.
    """
    ProductFactory(slug="a", name="Apple", list_price=1000, stock=50)
    ProductFactory(slug="b", name="Berry", list_price=333, stock=50)
    first, second = buy(api, drain, ("a", 3), ("b", 1)), buy(api, drain, ("a", 1))
    place(api, ("b", 9))
    buy(client_for(UserFactory()), drain, ("b", 2))
    for order, month in ((first, 1), (second, 2)):
        at = datetime(2026, month, 10, tzinfo=UTC)
        Order.objects.filter(number=order["number"]).update(paid_at=at)
        OrderLine.objects.filter(order__number=order["number"]).update(purchased_at=at)
    refund(staff_api, first["payment"], lines=[{"product": "a", "quantity": 1}])
    refund(staff_api, first["payment"], amount="3.33")
    drain()
    return first, second


def test_items_add_up_under_refunds(api: Any, history: Any) -> None:
    page = api.get(f"{BASE}items/").json()
    assert len(page["results"]) == 2
    rows = {row["product"]: row for row in page["results"]}
    a, b = rows["a"], rows["b"]
    assert (a["quantity"], a["refunded_quantity"], a["orders"]) == (3, 1, 2)
    assert (a["spent"], a["refunded_amount"], a["average_price"]) == ("27.15", "12.85", "10.00")
    assert (b["quantity"], b["spent"], b["refunded_amount"]) == (1, "2.85", "0.48")
    assert a["first_purchase"].startswith("2026-01-10")
    assert a["last_purchase"].startswith("2026-02-10")


def test_the_summary_adds_up_under_refunds(api: Any, history: Any) -> None:
    found = api.get(f"{BASE}summary/").json()
    assert (found["orders"], found["items"]) == (2, 4)
    assert (found["paid"], found["refunded"], found["spent"]) == ("43.33", "13.33", "30.00")
    assert found["average_order_value"] == "21.67"
    assert found["by_method"] == [{"method": "stripe", "payments": 2, "spent": "30.00"}]
    assert found["by_month"] == [
        {"month": "2026-02", "orders": 1, "spent": "10.00"},
        {"month": "2026-01", "orders": 1, "spent": "20.00"},
    ]
    assert found["favourite_product"] == {"slug": "a", "name": "Apple", "quantity": 3}


def test_who_has_bought_nothing_sees_zeros(api: Any) -> None:
    found = api.get(f"{BASE}summary/").json()
    assert (found["orders"], found["spent"], found["average_order_value"]) == (0, "0.00", None)
    assert (found["by_method"], found["favourite_product"]) == ([], None)
    assert api.get(BASE).json()["results"] == []


def test_the_list_is_newest_first_by_cursor_without_gaps_or_repeats(api: Any, history: Any) -> None:
    seen: list[tuple[str, str]] = []
    url: str | None = f"{BASE}?page_size=1"
    while url:
        page = api.get(url).json()
        seen += [(row["order"], row["product"]) for row in page["results"]]
        url = page["next"]
    first, second = (order["number"] for order in history)
    assert seen == [(second, "a"), (first, "b"), (first, "a")]


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({"product": "a"}, 2),
        ({"product": "nothing"}, 0),
        ({"from": "2026-01-10T00:00:00Z", "to": "2026-02-10T00:00:00Z"}, 2),
        ({"from": "2026-02-10T00:00:00Z"}, 1),
        ({"to": "2026-01-10T00:00:00Z"}, 0),
    ],
)
def test_filters_take_a_product_and_a_half_open_time(
    api: Any, history: Any, query: dict[str, str], count: int
) -> None:
    assert len(api.get(BASE, query).json()["results"]) == count


@pytest.mark.parametrize(
    "query", [{"from": "yesterday"}, {"to": "2026-13-01"}, {"product": "\0"}, {"since": "x"}]
)
def test_a_wrong_filter_is_a_400_that_names_it(api: Any, query: dict[str, str]) -> None:
    answer = api.get(BASE, query)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == next(iter(query))


@pytest.mark.parametrize("path", ["", "items/", "summary/"])
def test_a_stranger_sees_nothing_of_it_and_nobody_is_401(
    staff_api: Any, history: Any, path: str
) -> None:
    assert APIClient().get(BASE + path).status_code == 401
    for client in (client_for(UserFactory()), staff_api):
        body = client.get(BASE + path).json()
        assert body.get("results", []) == []
        assert body.get("orders", 0) == 0

"""Stock, by staff: received, counted, never below what is promised."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from shop.inventory.models import StockMovement
from tests.factories.orders import STAFF, buy, own_rollbacks, place, post, settled
from tests.factories.shop import ProductFactory

__all__ = ["own_rollbacks", "settled"]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_rollbacks", "settled", "sandbox")]
URL = f"{STAFF}products/a/stock/"


@pytest.fixture(autouse=True)
def product() -> Any:
    return ProductFactory(slug="a", list_price=1000, stock=5)


def change(client: Any, **body: Any) -> Any:
    return post(client, URL, {"reason": "count", **body})


def test_nobody_is_401_and_a_customer_403(api: Any) -> None:
    for client, status in ((APIClient(), 401), (api, 403)):
        assert change(client, delta=1).status_code == status
        assert client.get(URL).status_code == status


def test_a_delta_and_a_count_each_leave_a_movement(staff_api: Any) -> None:
    received = change(staff_api, delta=3)
    assert (received.status_code, received.json()["on_hand"]) == (201, 8)
    assert received.json()["movement"]["kind"] == "received"
    counted = change(staff_api, set=6)
    assert (counted.status_code, counted.json()["on_hand"]) == (201, 6)
    assert (counted.json()["movement"]["kind"], counted.json()["movement"]["delta"]) == (
        "adjusted",
        -2,
    )
    agreed = change(staff_api, set=6)
    assert (agreed.status_code, agreed.json()["movement"]) == (200, None)
    rows = staff_api.get(URL).json()["results"]
    assert [row["delta"] for row in rows] == [-2, 3, 5]
    assert rows[0]["actor"].startswith("staff")


@pytest.mark.parametrize("body", [{"delta": -4}, {"set": 1}, {"set": 0}])
def test_stock_never_goes_below_what_is_held(
    api: Any, staff_api: Any, body: dict[str, int]
) -> None:
    place(api, ("a", 2))
    answer = change(staff_api, **body)
    assert (answer.status_code, answer.json()["code"]) == (409, "stock_below_held")
    assert (answer.json()["held"], answer.json()["on_hand"]) == (2, 5)
    assert change(staff_api, set=2).json()["available"] == 0


def test_a_sale_is_a_movement_that_names_its_order(api: Any, staff_api: Any, drain: Any) -> None:
    order = buy(api, drain, ("a", 2))
    row = staff_api.get(URL).json()["results"][0]
    assert (row["kind"], row["delta"], row["order"]) == ("sold", -2, order["number"])
    assert StockMovement.objects.filter(stock__product__slug="a").count() == 2


def test_an_unknown_product_is_404(staff_api: Any) -> None:
    url = f"{STAFF}products/nothing/stock/"
    assert staff_api.get(url).status_code == 404
    assert post(staff_api, url, {"delta": 1, "reason": "x"}).status_code == 404

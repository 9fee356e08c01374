"""What only looks like a request: 400 with the field's name, and nothing stored."""

import json
from typing import Any

import pytest
from rest_framework.test import APIClient

from shop.orders.models import Order
from tests.factories.exchange import BATCHES, buy, listed, rich
from tests.factories.exchange import ORDERS as COINS
from tests.factories.flash import live_run
from tests.factories.orders import ORDERS, STAFF, order_body, own_rollbacks, place
from tests.factories.shop import ProductFactory

__all__ = ["own_rollbacks"]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_rollbacks", "sandbox")]


@pytest.fixture(autouse=True)
def product() -> Any:
    return ProductFactory(slug="a", list_price=1000, stock=5)


def raw(client: Any, url: str, body: str | bytes, kind: str = "application/json") -> Any:
    return client.post(url, body, content_type=kind)


@pytest.fixture(
    params=[
        *("orders", "cancel", "payments", "confirm", "refund", "stock", "fulfil"),
        *("units", "sale", "runs", "end", "schedules", "allowances", "transactions"),
        *("coins", "coins cancel", "batch retry", "batch give-back", "batch reconcile"),
    ]
)
def route(request: Any, api: Any, staff_api: Any) -> tuple[Any, str]:
    """Each POST of orders, payments and flash sales, with a client that may use it."""
    flash = f"flash-sales/{live_run(units=1).sale.slug}"
    made = place(api, ("a", 1))
    number, uid = made["number"], made["payment"]["id"]
    if request.param.startswith(("coins", "batch")):
        return coins_route(request.param, staff_api)
    return {
        "orders": (api, ORDERS),
        "cancel": (api, f"{ORDERS}{number}/cancel/"),
        "payments": (api, f"{ORDERS}{number}/payments/"),
        "confirm": (api, f"/api/v1/payments/{uid}/confirm/"),
        "transactions": (api, f"/api/v1/payments/{uid}/transactions/"),
        "refund": (staff_api, f"{STAFF}payments/{uid}/refund/"),
        "stock": (staff_api, f"{STAFF}products/a/stock/"),
        "fulfil": (staff_api, f"{STAFF}orders/{number}/fulfil/"),
        "units": (api, f"/api/v1/{flash}/purchases/"),
        "sale": (staff_api, f"{STAFF}flash-sales/"),
        "runs": (staff_api, f"{STAFF}{flash}/runs/"),
        "end": (staff_api, f"{STAFF}{flash}/end/"),
        "allowances": (staff_api, f"{STAFF}risk/allowances/"),
        "schedules": (staff_api, f"{STAFF}{flash}/schedules/"),
    }[request.param]


def coins_route(name: str, staff_api: Any) -> tuple[Any, str]:
    listed("ABAN")
    buyer = rich(1000)
    bought = buy(buyer, "ABAN", "0.1")
    _, _, action = name.partition(" ")
    if name.startswith("batch"):
        return staff_api, f"{BATCHES}{bought['batch']}/{action}/"
    return buyer, f"{COINS}{bought['id']}/cancel/" if action else COINS


NOT_JSON: list[str | bytes] = [
    "{",
    "{'a': 1}",
    '{"a": NaN}',
    '{"a": Infinity}',
    '{"a": 1, "a": 2}',
    '{"a": {"b": 1, "b": 2}}',
    '{"\\ud800": 1}',
    '{"a": "\\udc00"}',
    '{"a": 1e99999999999999999999}',
    '{"a": ' + "1" * 10_000 + "}",
    "[" * 100_000,
    "[" * 33 + "]" * 33,
    '{"a":' * 5_000 + "1" + "}" * 5_000,
    b"\xff\xfe",
    b"\x00",
]


def test_what_is_not_json_is_400_on_every_write_route(route: tuple[Any, str]) -> None:
    client, url = route
    for body in NOT_JSON:
        answer = raw(client, url, body)
        assert (answer.status_code, answer.json()["code"]) == (400, "malformed"), body[:40]


def test_thirty_two_levels_are_read(api: Any) -> None:
    answer = raw(api, ORDERS, '{"a":' * 31 + "{}" + "}" * 31)
    assert answer.json()["code"] == "unknown_field"


def test_an_unknown_field_a_list_and_a_form_are_refused_on_every_write_route(
    route: tuple[Any, str],
) -> None:
    client, url = route
    unknown = raw(client, url, '{"colour": "red"}')
    assert (unknown.status_code, unknown.json()["code"]) == (400, "unknown_field")
    assert unknown.json()["errors"][0]["field"] == "colour"
    assert raw(client, url, "[]").status_code == 400
    assert raw(client, url, '"text"').status_code == 400
    for kind in ("application/x-www-form-urlencoded", "text/plain", "application/xml"):
        answer = raw(client, url, "a=1", kind)
        assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


def test_a_body_over_256_kib_is_413_on_every_write_route(route: tuple[Any, str]) -> None:
    client, url = route
    answer = raw(client, url, json.dumps({"a": "x" * 256 * 1024}))
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    assert answer["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    "quantity",
    ['"2"', "true", "1.0", "1e3", "1e0", "0", "-1", "1" + "0" * 30, "10001", "null", "[]", "{}"],
)
def test_a_quantity_is_a_json_integer_within_bounds(api: Any, quantity: str) -> None:
    body = f'{{"lines":[{{"product":"a","quantity":{quantity}}}],"payment":{{"method":"stripe"}}}}'
    answer = raw(api, ORDERS, body)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == "lines[0].quantity"
    assert not Order.objects.exists()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"lines": []}, "lines"),
        ({"lines": None}, "lines"),
        ({"lines": {"product": "a"}}, "lines"),
        ({"lines": [1]}, "lines[0]"),
        ({"lines": [{"product": "a", "quantity": 1}] * 101}, "lines"),
        ({"lines": [{"product": 5, "quantity": 1}]}, "lines[0].product"),
        ({"lines": [{"product": "", "quantity": 1}]}, "lines[0].product"),
        ({"lines": [{"product": "a\0", "quantity": 1}]}, "lines[0].product"),
        ({"lines": [{"product": "a", "quantity": 1, "price": "1"}]}, "lines[0].price"),
        ({"payment": None}, "payment"),
        ({"payment": "stripe"}, "payment"),
        ({"payment": {}}, "payment.method"),
        ({"payment": {"method": "gold"}}, "payment.method"),
        ({"payment": {"method": ["stripe"]}}, "payment.method"),
        ({"payment": {"method": "stripe", "colour": 1}}, "payment.colour"),
        ({"expected_total": "ten"}, "expected_total"),
        ({"expected_total": True}, "expected_total"),
        ({"expected_total": "0"}, "expected_total"),
        ({"total": "1.00"}, "total"),
    ],
)
def test_a_wrong_field_of_an_order_is_named(api: Any, change: dict[str, Any], field: str) -> None:
    answer = raw(api, ORDERS, json.dumps({**order_body(("a", 1)), **change}))
    assert answer.status_code == 400, answer.content
    assert field in [error["field"] for error in answer.json()["errors"]]
    assert not Order.objects.exists()


def test_a_problem_has_the_shape_of_rfc_9457(api: Any) -> None:
    answer = raw(api, ORDERS, "{}")
    assert answer["Content-Type"] == "application/problem+json"
    found = answer.json()
    assert set(found) == {"type", "title", "status", "detail", "code", "instance", "errors"}
    assert (found["status"], found["instance"]) == (400, ORDERS)
    assert found["type"].startswith("urn:souk:problem:")
    assert {e["field"] for e in found["errors"]} == {"lines", "payment"}
    assert all(set(e) == {"field", "code", "detail"} for e in found["errors"])
    assert answer["X-Request-ID"]


def test_nobody_is_401_on_every_write_route(route: tuple[Any, str]) -> None:
    answer = raw(APIClient(), route[1], "{}")
    assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")
    assert answer["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    "body",
    [
        {"reason": "r"},
        {"reason": "r", "delta": 1, "set": 1},
        {"reason": "r", "delta": 0},
        {"reason": "r", "delta": "1"},
        {"reason": "r", "delta": True},
        {"reason": "r", "set": -1},
        {"reason": "r", "set": 1_000_001},
        {"reason": "", "delta": 1},
        {"reason": "x" * 201, "delta": 1},
        {"delta": 1},
    ],
)
def test_a_wrong_change_of_stock_is_400(staff_api: Any, body: dict[str, Any]) -> None:
    answer = raw(staff_api, f"{STAFF}products/a/stock/", json.dumps(body))
    assert answer.status_code == 400
    assert answer.json()["errors"]

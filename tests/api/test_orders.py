"""Placing, cancelling and expiring orders; for the owner, a stranger and staff."""

from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now
from rest_framework.test import APIClient

from payments.checkout.services import order_expire, orders_expire
from payments.intake.models import Payment
from shop.inventory.models import Stock, StockHold
from shop.orders.models import Order
from tests.factories.orders import (
    ORDERS,
    STAFF,
    buy,
    confirm,
    get_order,
    order_body,
    own_rollbacks,
    place,
    post,
    settled,
)
from tests.factories.shop import ProductFactory
from tests.factories.users import UserFactory, client_for

__all__ = ["own_rollbacks", "settled"]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_rollbacks", "settled", "sandbox")]


@pytest.fixture
def lamp() -> Any:
    return ProductFactory(slug="brass-lamp", name="Brass Lamp", list_price=1999, stock=5)


def stock(product: Any) -> tuple[int, int]:
    row = Stock.objects.get(pk=product.pk)
    return row.on_hand, row.held


def overdue(order: Any) -> None:
    Order.objects.filter(number=order["number"]).update(expires_at=Now() - timedelta(seconds=1))
    Payment.objects.filter(order__number=order["number"]).update(
        expires_at=Now() - timedelta(seconds=1)
    )


def test_an_order_answers_with_its_lines_its_payment_and_its_deadline(api: Any, lamp: Any) -> None:
    order = place(api, ("brass-lamp", 2))
    assert (order["status"], order["fulfilment"]) == ("pending_payment", "unfulfilled")
    assert (order["total"], order["currency"]) == ("39.98", "USD")
    line = order["lines"][0]
    assert (line["product"], line["name"]) == ("brass-lamp", "Brass Lamp")
    assert (line["unit_price"], line["quantity"], line["total"]) == ("19.99", 2, "39.98")
    assert order["expires_at"].endswith("Z")
    assert order["placed_at"] < order["expires_at"]
    payment = order["payment"]
    assert (payment["order"], payment["status"]) == (order["number"], "awaiting")
    assert (payment["amount"], payment["refunded_amount"]) == ("39.98", "0.00")
    assert payment["stripe"]["payment_intent"].startswith("pi_")
    assert payment["stripe"]["publishable_key"] == "pk_test_sandbox"
    assert stock(lamp) == (5, 2)


def test_several_lines_of_one_product_are_summed_before_stock_is_checked(
    api: Any, lamp: Any
) -> None:
    refused = post(api, ORDERS, order_body(("brass-lamp", 3), ("brass-lamp", 3)))
    assert refused.status_code == 409
    assert refused.json()["errors"][0]["requested"] == 6
    order = place(api, ("brass-lamp", 2), ("brass-lamp", 3))
    assert [line["quantity"] for line in order["lines"]] == [5]
    assert stock(lamp) == (5, 5)


def test_the_expected_total_must_be_the_total(api: Any, lamp: Any) -> None:
    body = order_body(("brass-lamp", 1), expected_total="19.98")
    answer = post(api, ORDERS, body)
    assert (answer.status_code, answer.json()["code"]) == (409, "price_changed")
    assert (answer.json()["expected_total"], answer.json()["total"]) == ("19.98", "19.99")
    assert place(api, ("brass-lamp", 1), expected_total="19.99")["total"] == "19.99"
    assert stock(lamp) == (5, 1)


def test_out_of_stock_lists_every_short_product_with_what_is_left(api: Any, lamp: Any) -> None:
    ProductFactory(slug="mug-x", stock=1)
    ProductFactory(slug="rug-x", stock=9)
    answer = post(api, ORDERS, order_body(("brass-lamp", 6), ("mug-x", 2), ("rug-x", 1)))
    assert (answer.status_code, answer.json()["code"]) == (409, "out_of_stock")
    short = {e["product"]: (e["requested"], e["available"]) for e in answer.json()["errors"]}
    assert short == {"brass-lamp": (6, 5), "mug-x": (2, 1)}
    assert not Order.objects.exists()
    assert not Payment.objects.exists()
    assert not Stock.objects.filter(held__gt=0).exists()


def test_an_unknown_or_archived_product_is_not_for_sale(
    api: Any, staff_api: Any, lamp: Any
) -> None:
    assert staff_api.delete(f"{STAFF}products/brass-lamp/").status_code == 204
    answer = post(api, ORDERS, order_body(("brass-lamp", 1), ("nothing-here", 1)))
    assert (answer.status_code, answer.json()["code"]) == (400, "unknown_product")
    assert len(answer.json()["errors"]) == 2
    assert not Order.objects.exists()


def test_a_total_over_what_one_order_may_be_is_400(api: Any) -> None:
    ProductFactory(slug="yacht", list_price=99_999_999, stock=2)
    answer = post(api, ORDERS, order_body(("yacht", 2)))
    assert (answer.status_code, answer.json()["code"]) == (400, "total_too_large")
    assert place(api, ("yacht", 1))["total"] == "999999.99"


@pytest.mark.parametrize("method", ["crypto", "wallet"])
def test_a_way_to_pay_without_a_gateway_is_unavailable(
    api: Any, lamp: Any, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("payments.intake.ports._gateways", {})
    answer = post(api, ORDERS, order_body(("brass-lamp", 1), method=method))
    assert (answer.status_code, answer.json()["code"]) == (400, "method_unavailable")
    assert answer.json()["errors"][0]["field"] == "payment.method"
    assert stock(lamp) == (5, 0)


def test_cancelling_gives_the_stock_back_once(api: Any, lamp: Any) -> None:
    order = place(api, ("brass-lamp", 2))
    url = f"{ORDERS}{order['number']}/cancel/"
    cancelled = post(api, url)
    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")
    assert cancelled.json()["payment"]["status"] == "expired"
    again = post(api, url)
    assert (again.status_code, again.json()["code"]) == (409, "invalid_transition")
    assert (again.json()["current"], again.json()["wanted"]) == ("cancelled", "cancelled")
    assert stock(lamp) == (5, 0)


def test_a_paid_order_is_not_cancelled(api: Any, drain: Any, lamp: Any) -> None:
    order = buy(api, drain, ("brass-lamp", 2))
    answer = post(api, f"{ORDERS}{order['number']}/cancel/")
    assert (answer.status_code, answer.json()["current"]) == (409, "paid")
    assert stock(lamp) == (3, 0)


def test_a_strangers_order_is_missing_and_staff_see_it(api: Any, staff_api: Any, lamp: Any) -> None:
    order = place(api, ("brass-lamp", 1))
    stranger = client_for(UserFactory())
    number = order["number"]
    foreign = stranger.get(f"{ORDERS}{number}/")
    missing = stranger.get(f"{ORDERS}ZZZZ-ZZZZ-ZZZZ/")
    assert foreign.status_code == missing.status_code == 404
    strip = {"instance"}
    assert {k: v for k, v in foreign.json().items() if k not in strip} == {
        k: v for k, v in missing.json().items() if k not in strip
    }
    for path, body in (("cancel/", None), ("payments/", {"method": "stripe"})):
        assert post(stranger, f"{ORDERS}{number}/{path}", body).status_code == 404
    assert staff_api.get(f"{ORDERS}{number}/").status_code == 404
    assert staff_api.get(f"{STAFF}orders/{number}/").json()["number"] == number
    assert stranger.get(f"{STAFF}orders/{number}/").status_code == 403
    assert APIClient().get(f"{ORDERS}{number}/").status_code == 401
    assert stranger.get(ORDERS).json()["results"] == []
    assert get_order(api, order)["status"] == "pending_payment"


def test_an_order_expires_after_its_deadline_and_not_before(
    api: Any, lamp: Any, drain: Any
) -> None:
    order = place(api, ("brass-lamp", 2))
    assert orders_expire() == 0
    overdue(order)
    assert (orders_expire(), orders_expire()) == (1, 0)
    assert not order_expire(order_id=Order.objects.get().pk)
    found = get_order(api, order)
    assert (found["status"], found["payment"]["status"]) == ("expired", "expired")
    assert stock(lamp) == (5, 0)
    drain(later=True)
    assert stock(lamp) == (5, 0)


def test_a_shortage_expires_overdue_orders_of_that_product_only(
    api: Any, lamp: Any, customer: Any
) -> None:
    ProductFactory(slug="mug-x", stock=1)
    late = place(api, ("brass-lamp", 5))
    other = place(api, ("mug-x", 1))
    overdue(late)
    overdue(other)
    buyer = client_for(UserFactory())
    assert place(buyer, ("brass-lamp", 3))["status"] == "pending_payment"
    assert get_order(api, late)["status"] == "expired"
    assert get_order(api, other)["status"] == "pending_payment"
    assert stock(lamp) == (5, 3)
    orders_expire()


def test_an_order_whose_payment_is_being_decided_does_not_expire(
    api: Any, lamp: Any, drain: Any, sandbox: Any
) -> None:
    order = place(api, ("brass-lamp", 5))
    assert confirm(api, order, "pm_card_threeDSecure2Required").status_code == 202
    drain()
    overdue(order)
    assert orders_expire() == 0
    refused = post(client_for(UserFactory()), ORDERS, order_body(("brass-lamp", 1)))
    assert refused.status_code == 409
    assert post(api, f"{ORDERS}{order['number']}/cancel/").status_code == 409
    sandbox.authenticate(order["payment"]["stripe"]["payment_intent"])


def test_a_refused_order_leaves_nothing_behind(api: Any, lamp: Any, drain: Any) -> None:
    assert post(api, ORDERS, order_body(("brass-lamp", 6))).status_code == 409
    assert not Order.objects.exists()
    assert not StockHold.objects.exists()
    assert drain(later=True) == 0


def test_with_stripe_down_an_order_is_placed_and_its_intent_made_later(
    api: Any, lamp: Any, drain: Any, sandbox: Any
) -> None:
    sandbox.fault("http", "status", match="POST /v1/payment_intents", status=500, times=4)
    order = place(api, ("brass-lamp", 1))
    assert order["payment"]["stripe"] is None
    drain(later=True)
    intent = get_order(api, order)["payment"]["stripe"]["payment_intent"]
    made = [c for c in sandbox.calls(path="/v1/payment_intents") if c["status"] == 200]
    assert intent.startswith("pi_")
    assert made


def test_with_stripe_down_at_placing_confirm_makes_the_intent(
    api: Any, lamp: Any, drain: Any, sandbox: Any
) -> None:
    sandbox.fault("http", "status", match="POST /v1/payment_intents", status=500, times=4)
    order = place(api, ("brass-lamp", 1))
    assert confirm(api, order).status_code == 202
    drain()
    assert get_order(api, order)["status"] == "paid"
    assert stock(lamp) == (4, 0)


def test_the_list_shows_ones_own_orders_newest_first_by_status(api: Any, lamp: Any) -> None:
    first, second = place(api, ("brass-lamp", 1)), place(api, ("brass-lamp", 1))
    place(client_for(UserFactory()), ("brass-lamp", 1))
    post(api, f"{ORDERS}{first['number']}/cancel/")
    assert [o["number"] for o in api.get(ORDERS).json()["results"]] == [
        second["number"], first["number"],
    ]  # fmt: skip
    cancelled = api.get(ORDERS, {"status": "cancelled"}).json()["results"]
    assert [o["number"] for o in cancelled] == [first["number"]]
    page = api.get(ORDERS, {"page_size": 1}).json()
    assert set(page) == {"next", "previous", "results"}
    assert api.get(page["next"]).json()["results"][0]["number"] == first["number"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"status": "shiny"}, "status"),
        ({"colour": "red"}, "colour"),
        ({"page_size": "0"}, "page_size"),
        ({"page_size": "1000000000"}, "page_size"),
        ({"cursor": "junk"}, "cursor"),
        ({"cursor": "cD1hYmM="}, "cursor"),
        ({"cursor": "é"}, "cursor"),
    ],
)
@pytest.mark.parametrize("path", [ORDERS, "/api/v1/payments/", "/api/v1/purchases/"])
def test_an_unknown_query_parameter_or_value_is_a_400_that_names_it(
    api: Any, path: str, query: dict[str, str], field: str
) -> None:
    ProductFactory(slug="x", stock=1)
    place(api, ("x", 1))
    answer = api.get(path, query)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == field


def test_staff_filter_all_orders(api: Any, staff_api: Any, lamp: Any, drain: Any) -> None:
    paid, open_ = buy(api, drain, ("brass-lamp", 1)), place(api, ("brass-lamp", 1))

    def numbers(**query: str) -> set[str]:
        found = staff_api.get(f"{STAFF}orders/", query).json()["results"]
        return {o["number"] for o in found}

    assert numbers() == {paid["number"], open_["number"]}
    assert numbers(status="paid") == {paid["number"]}
    assert numbers(fulfilment="fulfilled") == set()
    assert post(staff_api, f"{STAFF}orders/{paid['number']}/fulfil/").status_code == 200
    assert numbers(fulfilment="fulfilled") == {paid["number"]}
    assert staff_api.get(f"{STAFF}orders/", {"fulfilment": "x"}).status_code == 400
    assert api.get(f"{STAFF}orders/").status_code == 403
    assert APIClient().get(f"{STAFF}orders/").status_code == 401


def test_only_a_paid_order_is_fulfilled_once_and_by_staff(
    api: Any, staff_api: Any, lamp: Any, drain: Any
) -> None:
    order = place(api, ("brass-lamp", 1))
    url = f"{STAFF}orders/{order['number']}/fulfil/"
    unpaid = post(staff_api, url)
    assert (unpaid.status_code, unpaid.json()["current"]) == (409, "pending_payment")
    confirm(api, order)
    drain()
    assert post(api, url).status_code == 403
    assert post(staff_api, url).json()["fulfilment"] == "fulfilled"
    again = post(staff_api, url)
    assert (again.status_code, again.json()["current"]) == (409, "fulfilled")
    assert post(staff_api, f"{STAFF}orders/nope/fulfil/").status_code == 404


def test_a_token_goes_with_crypto_only(api: Any) -> None:
    ProductFactory(slug="one", stock=1)
    lines = [{"product": "one", "quantity": 1}]
    body = {"lines": lines, "payment": {"method": "stripe", "token": "ETH"}}
    answer = api.post("/api/v1/orders/", body, format="json")
    assert (answer.status_code, answer.json()["code"]) == (400, "token_without_crypto")
    assert answer.json()["errors"][0]["field"] == "payment.token"


def test_an_overdue_order_takes_no_other_way_to_pay(api: Any, customer: Any) -> None:
    ProductFactory(slug="one", stock=1)
    number = place(api, ("one", 1))["number"]
    Order.objects.update(expires_at=Now() - timedelta(seconds=1))
    answer = api.post(f"/api/v1/orders/{number}/payments/", {"method": "stripe"}, format="json")
    assert (answer.status_code, answer.json()["code"]) == (409, "invalid_transition")
    assert answer.json()["current"] == "expired"

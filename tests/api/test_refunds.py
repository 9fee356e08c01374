"""Money back, and every figure that follows from it."""

from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now

from common import clock
from payments.intake.models import Payment, Refund
from payments.intake.services import refund_settle
from payments.stripe import gateway
from payments.stripe import services as stripe
from payments.stripe.models import StripeRefund
from shop.inventory.models import Stock
from shop.orders.models import Order, OrderLine
from tests.factories.orders import (
    ORDERS,
    buy,
    confirm,
    get_order,
    get_payment,
    own_rollbacks,
    place,
    post,
    refund,
    settled,
)
from tests.factories.shop import ProductFactory
from tests.factories.users import UserFactory, client_for

__all__ = ["own_rollbacks", "settled"]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_rollbacks", "settled", "sandbox")]


@pytest.fixture(autouse=True)
def products() -> dict[str, Any]:
    return {
        "a": ProductFactory(slug="a", list_price=1000, stock=10),
        "b": ProductFactory(slug="b", list_price=333, stock=10),
    }


@pytest.fixture
def order(api: Any, drain: Any) -> Any:
    """3 x 10.00 and 1 x 3.33: 33.33."""
    return buy(api, drain, ("a", 3), ("b", 1))


def on_hand(slug: str) -> int:
    return Stock.objects.get(product__slug=slug).on_hand


def lines_of(order: Any) -> dict[str, tuple[str, int]]:
    found = order["lines"]
    return {n["product"]: (n["refunded_amount"], n["refunded_quantity"]) for n in found}


def test_a_full_refund_ends_payment_and_order_and_returns_every_unit(
    api: Any, staff_api: Any, drain: Any, order: Any
) -> None:
    answer = refund(staff_api, order["payment"], restock=True)
    assert (answer.status_code, answer.json()["status"]) == (201, "pending")
    assert answer.json()["amount"] == "33.33"
    drain()
    found = get_order(api, order)
    assert (found["status"], found["refunded_amount"]) == ("refunded", "33.33")
    assert found["payment"]["status"] == "refunded"
    assert found["payment"]["refunded_amount"] == "33.33"
    assert lines_of(found) == {"a": ("30.00", 3), "b": ("3.33", 1)}
    assert (on_hand("a"), on_hand("b")) == (10, 10)
    again = refund(staff_api, order["payment"])
    assert (again.status_code, again.json()["code"]) == (409, "invalid_transition")


def test_a_refund_by_amount_is_spread_over_the_lines(
    api: Any, staff_api: Any, drain: Any, order: Any
) -> None:
    refund(staff_api, order["payment"], amount="10.00")
    drain()
    found = get_order(api, order)
    assert (found["status"], found["refunded_amount"]) == ("partially_refunded", "10.00")
    assert found["payment"]["status"] == "succeeded"
    assert lines_of(found) == {"a": ("9.00", 0), "b": ("1.00", 0)}
    assert on_hand("a") == 7


def test_a_refund_of_lines_gives_each_its_price_and_restocks_where_asked(
    api: Any, staff_api: Any, drain: Any, order: Any
) -> None:
    chosen = [{"product": "a", "quantity": 1}, {"product": "b", "quantity": 1}]
    made = refund(staff_api, order["payment"], lines=chosen, restock=True).json()
    assert made["amount"] == "13.33"
    drain()
    assert lines_of(get_order(api, order)) == {"a": ("10.00", 1), "b": ("3.33", 1)}
    assert (on_hand("a"), on_hand("b")) == (8, 10)
    refund(staff_api, order["payment"], lines=chosen[:1])
    drain()
    assert lines_of(get_order(api, order))["a"] == ("20.00", 2)
    assert on_hand("a") == 8
    refund(staff_api, order["payment"])
    drain()
    assert get_order(api, order)["status"] == "refunded"


def test_more_than_is_left_is_409_that_says_what_is_left(
    staff_api: Any, drain: Any, order: Any
) -> None:
    assert refund(staff_api, order["payment"], amount="20.00").status_code == 201
    # Pending already counts: two refunds may not spend the same money.
    answer = refund(staff_api, order["payment"], amount="13.34")
    assert (answer.status_code, answer.json()["code"]) == (409, "refund_exceeds_captured")
    assert (answer.json()["left"], answer.json()["currency"]) == ("13.33", "USD")
    drain()
    assert refund(staff_api, order["payment"], amount="13.34").status_code == 409
    assert Refund.objects.count() == 1


@pytest.mark.parametrize(
    "body",
    [
        {"lines": [{"product": "a", "quantity": 4}]},
        {"lines": [{"product": "a", "quantity": 2}, {"product": "a", "quantity": 2}]},
        {"lines": [{"product": "zzz", "quantity": 1}]},
        {"lines": [{"product": "b", "quantity": 1}], "amount": "3.34"},
        {"lines": []},
        {"lines": [{"product": "a"}]},
        {"amount": "0"},
        {"amount": "-1.00"},
        {"amount": "1.005"},
        {"restock": "yes"},
        {"destination": "moon"},
        {"reason": ""},
        {"colour": "red"},
    ],
)
def test_a_refund_that_does_not_fit_is_400_and_reserves_nothing(
    staff_api: Any, order: Any, body: dict[str, Any]
) -> None:
    answer = refund(staff_api, order["payment"], **body)
    assert answer.status_code == 400, answer.content
    assert answer.json()["errors"]
    assert not Refund.objects.exists()


def test_only_staff_refund_and_only_what_was_paid(api: Any, staff_api: Any, order: Any) -> None:
    stranger = client_for(UserFactory())
    assert refund(api, order["payment"]).status_code == 403
    assert refund(stranger, order["payment"]).status_code == 403
    unpaid = place(api, ("a", 1))
    answer = refund(staff_api, unpaid["payment"])
    assert (answer.status_code, answer.json()["current"]) == (409, "awaiting")


def test_a_refund_that_stripe_refuses_gives_the_reservation_back(
    api: Any, staff_api: Any, drain: Any, sandbox: Any, order: Any
) -> None:
    made = refund(staff_api, order["payment"], amount="20.00", restock=True)
    sandbox.fault("http", "status", match="POST /v1/refunds", status=400)
    drain()
    assert Refund.objects.get(uid=made.json()["id"]).status == "failed"
    found = get_order(api, order)
    assert (found["status"], found["refunded_amount"]) == ("paid", "0.00")
    assert Payment.objects.get().refund_pending == 0
    assert refund(staff_api, order["payment"]).status_code == 201
    drain()
    assert get_order(api, order)["status"] == "refunded"


def test_a_pending_refund_counts_when_stripe_says_so(
    api: Any, staff_api: Any, drain: Any, sandbox: Any
) -> None:
    order = place(api, ("a", 1))
    confirm(api, order, "pm_card_pendingRefund")
    drain()
    refund(staff_api, order["payment"])
    drain()
    assert get_payment(api, order["payment"])["refunded_amount"] == "0.00"
    sandbox.settle()
    StripeRefund.objects.update(next_poll_at=Now())
    assert stripe.poll() == 1
    drain()
    assert get_order(api, order)["status"] == "refunded"
    assert StripeRefund.objects.get().next_poll_at is None


def test_the_older_a_pending_refund_the_longer_until_it_is_asked_about_again(
    api: Any, staff_api: Any, drain: Any
) -> None:
    order = place(api, ("a", 1))
    confirm(api, order, "pm_card_pendingRefund")
    drain()
    refund(staff_api, order["payment"])
    drain()
    assert stripe.poll() == 0
    for age, pause in ((10, 15), (400, 100), (10**6, 600)):
        Refund.objects.update(created_at=Now() - timedelta(seconds=age))
        StripeRefund.objects.update(next_poll_at=Now())
        assert (stripe.poll(), stripe.poll()) == (1, 0)
        drain()
        left = StripeRefund.objects.get().next_poll_at - clock.now()
        assert pause - 5 < left.total_seconds() <= pause + 1


def test_settling_a_refund_twice_counts_it_once(staff_api: Any, drain: Any, order: Any) -> None:
    refund(staff_api, order["payment"], amount="5.00")
    drain()
    pk = Refund.objects.get().pk
    assert not refund_settle(refund_id=pk, succeeded=True)
    stripe.refund_send(refund_id=pk)
    stripe.refund_sync(refund_id=pk)
    assert Payment.objects.get().refunded == 500


def test_line_refunds_add_up_to_the_order_after_many_odd_ones(
    staff_api: Any, drain: Any, order: Any
) -> None:
    for amount in ("0.01", "0.02", "3.34", "7.77", "11.11"):
        assert refund(staff_api, order["payment"], amount=amount).status_code == 201
        drain()
        found = Order.objects.get()
        assert sum(OrderLine.objects.values_list("refunded", flat=True)) == found.refunded
    assert refund(staff_api, order["payment"]).json()["amount"] == "11.08"
    drain()
    assert Order.objects.get().status == "refunded"


def test_money_in_review_goes_back_without_touching_the_order(
    api: Any, staff_api: Any, drain: Any, sandbox: Any
) -> None:
    """An automatic refund that Stripe refused is asked for again by staff, in two parts."""
    order = place(api, ("a", 10))
    post(api, f"{ORDERS}{order['number']}/cancel/")
    other = client_for(UserFactory())
    rest = place(other, ("a", 1))
    gateway.client().v1.payment_intents.confirm(
        order["payment"]["stripe"]["payment_intent"], {"payment_method": "pm_card_visa"}
    )
    sandbox.fault("http", "status", match="POST /v1/refunds", status=400)
    drain(later=True)
    assert get_payment(api, order["payment"])["status"] == "review"
    lines = [{"product": "a", "quantity": 1}]
    for body in ({"lines": lines}, {"lines": lines, "amount": "1.00"}):
        assert refund(staff_api, order["payment"], **body).status_code == 400
    refund(staff_api, order["payment"], amount="40.00")
    drain()
    assert get_payment(api, order["payment"])["status"] == "review"
    refund(staff_api, order["payment"])
    drain()
    assert get_payment(api, order["payment"])["status"] == "refunded"
    assert get_order(api, order)["status"] == "cancelled"
    assert get_order(other, rest)["status"] == "pending_payment"

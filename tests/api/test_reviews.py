"""Payments that wait for somebody: disputes that the bank decides, reviews that staff end."""

from typing import Any

import pytest

from payments.intake.models import Payment
from payments.intake.services import Capture, payment_settle
from payments.sandbox.stripe import StripeSandbox
from payments.stripe import gateway
from tests.factories.orders import (
    ORDERS,
    STAFF,
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
from tests.factories.wallet import balance, deposit, house

__all__ = ["own_rollbacks", "settled"]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_rollbacks", "settled", "sandbox")]


@pytest.fixture(autouse=True)
def product() -> Any:
    return ProductFactory(slug="a", list_price=1000, stock=10)


def disputed(api: Any, drain: Any, deliver: Any) -> Any:
    """An order whose card's owner has complained."""
    order = place(api, ("a", 1))
    confirm(api, order, "pm_card_createDispute")
    drain()
    deliver()
    drain(later=True)
    assert get_payment(api, order["payment"])["reason"] == "disputed"
    return order


def close(sandbox: StripeSandbox, status: str) -> None:
    (dispute,) = gateway.client().v1.disputes.list({"limit": 1}).data
    sandbox.close_dispute(dispute.id, status)


class TestDisputes:
    def test_the_money_is_away_until_it_is_decided(
        self, api: Any, staff_api: Any, drain: Any, deliver: Any
    ) -> None:
        order = disputed(api, drain, deliver)
        assert get_payment(api, order["payment"])["status"] == "review"
        assert (house("stripe_clearing"), house("disputed")) == (0, 1000)
        assert refund(staff_api, order["payment"]).json()["code"] == "invalid_transition"
        answer = resolve(staff_api, order["payment"], "accept")
        assert (answer.status_code, answer.json()["current"]) == (409, "disputed")

    @pytest.mark.parametrize(
        ("outcome", "status", "clearing", "losses"),
        [("won", "succeeded", 1000, 0), ("lost", "reversed", 0, 1000)],
    )
    def test_the_outcome_brings_it_back_or_posts_the_loss(
        self,
        api: Any,
        drain: Any,
        deliver: Any,
        sandbox: StripeSandbox,
        outcome: str,
        status: str,
        clearing: int,
        losses: int,
    ) -> None:
        order = disputed(api, drain, deliver)
        close(sandbox, outcome)
        for _ in range(2):
            deliver()
            drain(later=True)
        assert get_payment(api, order["payment"])["status"] == status
        assert (house("stripe_clearing"), house("losses")) == (clearing, losses)
        assert house("disputed") == 0

    def test_an_inquiry_touches_nothing(self, api: Any, drain: Any, deliver: Any) -> None:
        order = place(api, ("a", 1))
        confirm(api, order, "pm_card_createDisputeInquiry")
        drain()
        deliver()
        drain(later=True)
        assert get_payment(api, order["payment"])["status"] == "succeeded"

    def test_a_disputed_deposit_is_held_and_taken_back_when_lost(
        self, api: Any, drain: Any, deliver: Any, sandbox: StripeSandbox
    ) -> None:
        deposit(api, drain, card="pm_card_createDispute")
        place(api, ("a", 3), method="wallet")
        deliver()
        drain(later=True)
        assert balance(api) == ("0.00", "70.00")
        close(sandbox, "lost")
        deliver()
        drain(later=True)
        assert balance(api) == ("0.00", "0.00")
        assert house("losses") == 3000


def resolve(client: Any, payment: Any, resolution: str, **more: Any) -> Any:
    body = {"resolution": resolution, "note": "test", **more}
    return post(client, f"{STAFF}payments/{payment['id']}/resolve/", body)


def received(payment: Any, amount: int) -> None:
    """Another amount than was asked for has come in."""
    row = Payment.objects.get(uid=payment["id"])
    payment_settle(payment_id=row.pk, capture=Capture(amount, "USD", f"pi_{amount}"))


class TestReview:
    def test_too_little_may_be_accepted_and_what_is_missing_is_a_loss(
        self, api: Any, staff_api: Any
    ) -> None:
        order = place(api, ("a", 1))
        received(order["payment"], 900)
        assert get_payment(api, order["payment"])["reason"] == "underpaid"
        answer = resolve(staff_api, order["payment"], "accept")
        assert (answer.status_code, answer.json()["status"]) == (200, "succeeded")
        assert get_order(api, order)["status"] == "paid"
        assert (house("sales"), house("losses"), house("unapplied")) == (-1000, 100, 0)

    def test_too_much_is_accepted_with_the_rest_in_the_wallet(
        self, api: Any, staff_api: Any
    ) -> None:
        order = place(api, ("a", 1))
        received(order["payment"], 1250)
        assert resolve(staff_api, order["payment"], "accept").status_code == 200
        assert balance(api) == ("2.50", "0.00")

    @pytest.mark.parametrize("destination", ["original", "wallet"])
    def test_it_may_go_back(self, api: Any, staff_api: Any, drain: Any, destination: str) -> None:
        order = place(api, ("a", 1))
        confirm(api, order)
        received(order["payment"], 900)
        answer = resolve(staff_api, order["payment"], "refund", destination=destination)
        assert answer.status_code == 200
        if destination == "wallet":
            assert answer.json()["status"] == "refunded"
            assert balance(api) == ("9.00", "0.00")

    def test_an_order_that_has_its_money_takes_no_more(
        self, api: Any, staff_api: Any, drain: Any
    ) -> None:
        order = place(api, ("a", 1))
        received(order["payment"], 900)
        other = post(api, f"{ORDERS}{order['number']}/payments/", {"method": "stripe"}).json()
        confirm(api, other)
        drain()
        answer = resolve(staff_api, order["payment"], "accept")
        assert (answer.status_code, answer.json()["code"]) == (409, "not_usable")
        assert answer.json()["reason"] == "multiple"
        assert (
            resolve(staff_api, order["payment"], "refund", destination="wallet").status_code == 200
        )

    def test_only_a_review_can_be_resolved(self, api: Any, staff_api: Any, drain: Any) -> None:
        order = buy(api, drain, ("a", 1))
        answer = resolve(staff_api, order["payment"], "accept")
        assert (answer.status_code, answer.json()["code"]) == (409, "invalid_transition")

    def test_customers_resolve_nothing(self, api: Any) -> None:
        order = place(api, ("a", 1))
        assert resolve(api, order["payment"], "accept").status_code == 403

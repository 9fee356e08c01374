"""Paying in, paying out of the wallet, and money that comes back into it."""

from typing import Any

import pytest

from payments.checkout.tasks import expire_overdue
from payments.intake.models import Payment, Refund
from payments.sandbox.stripe import StripeSandbox
from payments.stripe import gateway
from payments.stripe.services import intent_sync
from shop.inventory.models import Stock
from tests.factories.orders import (
    ORDERS,
    STAFF,
    buy,
    confirm,
    get_order,
    get_payment,
    order_body,
    own_rollbacks,
    place,
    post,
    refund,
    settled,
)
from tests.factories.shop import ProductFactory
from tests.factories.users import UserFactory, client_for
from tests.factories.wallet import WALLET, ask, balance, deposit, house

__all__ = ["own_rollbacks", "settled"]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_rollbacks", "settled", "sandbox")]


@pytest.fixture(autouse=True)
def product() -> Any:
    return ProductFactory(slug="a", list_price=1000, stock=10)


class TestDeposits:
    def test_a_card_fills_the_wallet(self, api: Any, drain: Any) -> None:
        payment = deposit(api, drain)
        assert (payment["status"], payment["order"], payment["amount"]) == (
            "succeeded",
            None,
            "100.00",
        )
        assert balance(api) == ("100.00", "0.00")
        (entry,) = api.get(f"{WALLET}entries/").json()["results"]
        assert (entry["kind"], entry["amount"], entry["balance"]) == (
            "deposit",
            "100.00",
            "100.00",
        )

    def test_nothing_is_there_before_the_money_is(self, api: Any, drain: Any) -> None:
        answer = ask(api, "100.00")
        assert (answer.status_code, answer.json()["status"]) == (201, "awaiting")
        assert confirm(api, answer.json(), "pm_card_visa_chargeDeclined").status_code == 402
        drain()
        assert balance(api) == ("0.00", "0.00")

    @pytest.mark.parametrize(
        "amount", ["0", "-1", "0.001", "NaN", "1e3", "9" * 30, "1000000.00", None, True, [], "x"]
    )
    def test_a_wrong_amount_is_400_and_stores_nothing(self, api: Any, amount: Any) -> None:
        answer = ask(api, amount)
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "amount")
        assert not Payment.objects.exists()

    def test_the_wallet_cannot_fill_itself(self, api: Any) -> None:
        answer = ask(api, "1.00", payment={"method": "wallet"})
        assert answer.status_code == 400

    def test_a_deposit_that_nobody_pays_expires(self, api: Any, drain: Any) -> None:
        payment = ask(api, "5.00").json()
        Payment.objects.update(expires_at="2020-01-01T00:00:00Z")
        expire_overdue()
        assert get_payment(api, payment)["status"] == "expired"

    def test_money_that_comes_after_the_deadline_is_the_customers(
        self, api: Any, drain: Any
    ) -> None:
        payment = ask(api, "5.00").json()
        Payment.objects.update(status="expired")
        gateway.client().v1.payment_intents.confirm(
            payment["stripe"]["payment_intent"], {"payment_method": "pm_card_visa"}
        )
        drain(later=True)
        intent_sync(payment_id=Payment.objects.get().pk)
        assert get_payment(api, payment)["status"] == "succeeded"
        assert balance(api) == ("5.00", "0.00")


class TestPaying:
    def test_an_order_is_paid_at_once(self, api: Any, drain: Any) -> None:
        deposit(api, drain)
        order = place(api, ("a", 3), method="wallet")
        assert (order["status"], order["payment"]["status"]) == ("paid", "succeeded")
        assert balance(api) == ("70.00", "0.00")
        assert Stock.objects.get(product__slug="a").on_hand == 7
        newest = api.get(f"{WALLET}entries/").json()["results"][0]
        assert (newest["amount"], newest["about"]) == ("-30.00", f"order {order['number']}")

    def test_too_little_is_409_with_what_is_there_and_nothing_is_written(
        self, api: Any, drain: Any
    ) -> None:
        deposit(api, drain, "29.99")
        answer = post(api, ORDERS, order_body(("a", 3), method="wallet"))
        assert (answer.status_code, answer.json()["code"]) == (409, "insufficient_funds")
        assert (answer.json()["available"], answer.json()["currency"]) == ("29.99", "USD")
        assert api.get(ORDERS).json()["results"] == []
        assert Stock.objects.get(product__slug="a").held == 0

    def test_an_open_order_may_be_paid_from_the_wallet_instead(self, api: Any, drain: Any) -> None:
        deposit(api, drain)
        order = place(api, ("a", 1))
        url = f"{ORDERS}{order['number']}/payments/"
        answer = post(api, url, {"method": "wallet"})
        assert (answer.status_code, answer.json()["status"]) == (201, "succeeded")
        drain()
        assert get_order(api, order)["status"] == "paid"
        assert get_payment(api, order["payment"])["status"] == "replaced"

    def test_a_wallet_that_is_too_small_leaves_the_card_payment_open(self, api: Any) -> None:
        order = place(api, ("a", 1))
        url = f"{ORDERS}{order['number']}/payments/"
        assert post(api, url, {"method": "wallet"}).status_code == 409
        assert get_payment(api, order["payment"])["status"] == "awaiting"

    def test_a_replay_pays_once(self, api: Any, drain: Any) -> None:
        deposit(api, drain)
        body = order_body(("a", 1), method="wallet")
        answers = [post(api, ORDERS, body, key="k").json()["number"] for _ in range(3)]
        assert len(set(answers)) == 1
        assert balance(api) == ("90.00", "0.00")

    def test_another_users_money_is_out_of_reach(self, api: Any, drain: Any) -> None:
        deposit(api, drain)
        other = client_for(UserFactory())
        assert post(other, ORDERS, order_body(("a", 1), method="wallet")).status_code == 409
        assert other.get(f"{WALLET}entries/").json()["results"] == []
        assert balance(api) == ("100.00", "0.00")


class TestRefunds:
    def test_a_wallet_payment_goes_back_at_once(self, api: Any, staff_api: Any, drain: Any) -> None:
        deposit(api, drain)
        order = place(api, ("a", 3), method="wallet")
        answer = refund(staff_api, order["payment"], amount="10.00")
        assert (answer.status_code, answer.json()["status"]) == (201, "succeeded")
        assert balance(api) == ("80.00", "0.00")
        assert get_order(api, order)["status"] == "partially_refunded"

    def test_a_card_payment_may_go_back_into_the_wallet(
        self, api: Any, staff_api: Any, drain: Any
    ) -> None:
        order = buy(api, drain, ("a", 1))
        answer = refund(staff_api, order["payment"], destination="wallet")
        assert answer.json()["status"] == "succeeded"
        assert balance(api) == ("10.00", "0.00")
        assert get_payment(api, order["payment"])["status"] == "refunded"
        assert (house("stripe_clearing"), house("refunds")) == (1000, 1000)

    def test_a_deposit_goes_back_to_the_card_and_cannot_be_spent_meanwhile(
        self, api: Any, staff_api: Any, drain: Any
    ) -> None:
        payment = deposit(api, drain)
        assert refund(staff_api, payment, amount="40.00").json()["status"] == "pending"
        assert balance(api) == ("60.00", "40.00")
        drain()
        assert balance(api) == ("60.00", "0.00")
        assert house("stripe_clearing") == 6000

    def test_a_spent_deposit_cannot_go_back(self, api: Any, staff_api: Any, drain: Any) -> None:
        payment = deposit(api, drain)
        place(api, ("a", 3), method="wallet")
        answer = refund(staff_api, payment)
        assert (answer.status_code, answer.json()["code"]) == (409, "insufficient_funds")
        assert answer.json()["available"] == "70.00"
        assert not Refund.objects.exists()

    def test_a_deposit_has_no_other_destination(self, api: Any, staff_api: Any, drain: Any) -> None:
        answer = refund(staff_api, deposit(api, drain), destination="wallet")
        assert (answer.status_code, answer.json()["code"]) == (400, "destination_invalid")

    def test_a_refused_refund_of_a_deposit_frees_the_money(
        self, api: Any, staff_api: Any, drain: Any, sandbox: StripeSandbox
    ) -> None:
        payment = deposit(api, drain)
        refund(staff_api, payment)
        sandbox.fault("http", "status", match="POST /v1/refunds", status=400)
        drain()
        assert balance(api) == ("100.00", "0.00")

    def test_a_refund_that_the_bank_returns_ends_in_the_wallet(
        self, api: Any, staff_api: Any, drain: Any, deliver: Any, sandbox: StripeSandbox
    ) -> None:
        order = place(api, ("a", 1))
        confirm(api, order, "pm_card_refundFail")
        drain()
        assert refund(staff_api, order["payment"]).status_code == 201
        drain()
        sandbox.settle()
        for _ in range(2):
            deliver()
            drain(later=True)
        found = Refund.objects.get()
        assert (found.status, found.destination) == ("succeeded", "wallet")
        assert found.failure
        assert balance(api) == ("10.00", "0.00")
        assert get_payment(api, order["payment"])["status"] == "refunded"

    def test_a_refund_made_at_stripes_dashboard_is_written_down(
        self, api: Any, drain: Any, deliver: Any
    ) -> None:
        order = buy(api, drain, ("a", 3))
        intent = order["payment"]["stripe"]["payment_intent"]
        gateway.client().v1.refunds.create({"payment_intent": intent, "amount": 1200})
        for _ in range(2):
            deliver()
            drain(later=True)
        found = get_order(api, order)
        assert (found["status"], found["payment"]["refunded_amount"]) == (
            "partially_refunded",
            "12.00",
        )
        assert Refund.objects.get().actor_id is None

    def test_a_deposit_refunded_at_the_dashboard_after_it_was_spent_is_our_loss(
        self, api: Any, drain: Any, deliver: Any
    ) -> None:
        payment = deposit(api, drain)
        place(api, ("a", 3), method="wallet")
        intent = payment["stripe"]["payment_intent"]
        gateway.client().v1.refunds.create({"payment_intent": intent})
        deliver()
        drain(later=True)
        assert balance(api) == ("0.00", "0.00")
        assert house("losses") == 3000


def test_the_trial_balance_is_zero_after_all_of_it(api: Any, staff_api: Any, drain: Any) -> None:
    deposit(api, drain)
    order = place(api, ("a", 3), method="wallet")
    refund(staff_api, order["payment"], amount="7.77")
    buy(api, drain, ("a", 1))
    (row,) = staff_api.get(f"{STAFF}ledger/trial-balance/").json()["currencies"]
    assert row["difference"] == "0.00"
    assert row["debit"] == row["credit"] == "147.77"

"""What the buyer is told by mail, at each end of a payment: once, in text and in HTML."""

from typing import Any

import pytest
from django.core import mail
from django.db import connection
from django.test.utils import CaptureQueriesContext

from common.admin.display import page_of
from common.outbox.models import OutboxMessage
from payments.checkout.services import order_cancel
from payments.checkout.tasks import expire_overdue
from payments.intake.models import Payment
from payments.intake.services import many
from payments.notices.models import Notice
from payments.sandbox.stripe import StripeSandbox
from payments.stripe import gateway
from payments.stripe.services import intent_sync
from shop.orders.models import Order
from tests.api.test_reviews import close, disputed, received, resolve
from tests.factories.orders import (
    ORDERS,
    buy,
    confirm,
    order_body,
    own_rollbacks,
    place,
    post,
    refund,
    settled,
)
from tests.factories.shop import ProductFactory
from tests.factories.users import StaffFactory, SuperuserFactory, UserFactory, client_for
from tests.factories.wallet import ask, deposit

__all__ = ["own_rollbacks", "settled"]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_rollbacks", "settled", "sandbox")]
PAST = "2020-01-01T00:00:00Z"
CHALLENGED = "pm_card_threeDSecure2Required"


@pytest.fixture(autouse=True)
def product() -> Any:
    return ProductFactory(slug="a", name="Brass Lamp", list_price=1000, stock=10)


def told() -> list[str]:
    """The subjects of all mails so far, without the shop's name."""
    return [sent.subject.removeprefix("Souk: ") for sent in mail.outbox]


def assert_says(*words: str) -> None:
    """The newest mail says it in both of its forms."""
    sent: Any = mail.outbox[-1]
    [(html, kind)] = sent.alternatives
    assert kind == "text/html"
    for word in words:
        assert word in sent.body
        assert word.replace("'", "&#x27;") in html


def intent_of(payment: Any) -> str:
    return str(payment["stripe"]["payment_intent"])


def pay_in_browser(payment: Any) -> None:
    gateway.client().v1.payment_intents.confirm(
        intent_of(payment), {"payment_method": "pm_card_visa"}
    )


def fail(payment: Any) -> None:
    """The intent is cancelled at Stripe, and the shop has seen that."""
    gateway.client().v1.payment_intents.cancel(intent_of(payment))
    intent_sync(payment_id=Payment.objects.get(uid=payment["id"]).pk)


def expire() -> None:
    Order.objects.update(expires_at=PAST)
    Payment.objects.update(expires_at=PAST)
    expire_overdue()


class TestPaid:
    def test_the_order_with_its_lines_its_total_and_how_it_was_paid(
        self, api: Any, drain: Any, customer: Any
    ) -> None:
        ProductFactory(slug="b", name="Oak Chair", list_price=333, stock=10)
        order = buy(api, drain, ("a", 3), ("b", 1))
        drain(later=True)
        assert told() == [f"Order {order['number']} is paid"]
        assert mail.outbox[0].to == [customer.email]
        assert_says(f"Hello {customer.name},", order["number"], "Brass Lamp", "Oak Chair")
        assert_says("30.00 USD", "3.33 USD", "33.33 USD", "card")

    def test_from_the_wallet(self, api: Any, drain: Any) -> None:
        deposit(api, drain)
        order = place(api, ("a", 1), method="wallet")
        drain(later=True)
        assert told() == ["Your deposit has arrived", f"Order {order['number']} is paid"]
        assert_says("wallet", "10.00 USD")

    def test_a_deposit_that_has_arrived(self, api: Any, drain: Any) -> None:
        deposit(api, drain, "25.00")
        drain(later=True)
        assert told() == ["Your deposit has arrived"]
        assert_says("25.00 USD is in your wallet", "card")

    def test_nobody_is_told_of_an_order_that_waits_or_of_a_card_that_was_declined_at_once(
        self, api: Any, drain: Any
    ) -> None:
        assert confirm(api, place(api, ("a", 1)), "pm_card_chargeDeclined").status_code == 402
        drain(later=True)
        assert told() == []


class TestNotPaid:
    def test_a_failed_payment_while_the_order_waits(self, api: Any, drain: Any) -> None:
        order = place(api, ("a", 1))
        fail(order["payment"])
        drain(later=True)
        assert told() == [f"The payment of order {order['number']} has failed"]
        assert_says("you have not been charged", "another card", "10.00 USD")
        assert_says(f"{Order.objects.get().expires_at:%H:%M} UTC")

    def test_a_failed_payment_of_an_order_whose_time_is_over(self, api: Any, drain: Any) -> None:
        fail(place(api, ("a", 1))["payment"])
        expire()
        drain(later=True)
        assert_says("The order's time is over as well", "order again")

    def test_not_where_it_is_paid_another_way_already(self, api: Any, drain: Any) -> None:
        deposit(api, drain)
        order = place(api, ("a", 1))
        fail(order["payment"])
        url = f"{ORDERS}{order['number']}/payments/"
        assert post(api, url, {"method": "wallet"}).status_code == 201
        drain(later=True)
        assert told() == ["Your deposit has arrived", f"Order {order['number']} is paid"]

    def test_not_where_another_payment_is_under_way(self, api: Any, drain: Any) -> None:
        order = place(api, ("a", 1))
        fail(order["payment"])
        url = f"{ORDERS}{order['number']}/payments/"
        assert post(api, url, {"method": "stripe"}).status_code == 201
        drain()
        assert told() == []

    def test_a_failed_deposit(self, api: Any, drain: Any) -> None:
        fail(ask(api, "5.00").json())
        drain(later=True)
        assert told() == ["Your deposit has failed"]
        assert_says("you have not been charged", "5.00 USD")

    def test_an_order_that_has_expired(self, api: Any, drain: Any) -> None:
        order = place(api, ("a", 1))
        expire()
        drain(later=True)
        assert told() == [f"Order {order['number']} has expired"]
        assert_says("You have not been charged", "order again")

    def test_not_a_deposit_that_nobody_made(self, api: Any, drain: Any) -> None:
        ask(api, "5.00")
        expire()
        drain(later=True)
        assert Payment.objects.get().status == "expired"
        assert told() == []

    def test_an_order_that_staff_cancelled_and_not_the_buyer(
        self, api: Any, staff_api: Any, drain: Any
    ) -> None:
        own, other = place(api, ("a", 1)), place(api, ("a", 1))
        assert post(api, f"{ORDERS}{own['number']}/cancel/").status_code == 200
        order = Order.objects.get(number=other["number"])
        order_cancel(order_id=order.pk, actor_id=StaffFactory().pk)
        drain(later=True)
        assert told() == [f"Order {other['number']} was cancelled"]
        assert_says("You have not been charged")


class TestAction:
    def test_a_bank_that_asks_and_nobody_answers(self, api: Any, drain: Any) -> None:
        order = place(api, ("a", 1))
        assert confirm(api, order, CHALLENGED).status_code == 202
        drain()
        assert told() == []
        drain(later=True)
        assert told() == ["Your bank asks you to confirm a payment"]
        assert_says("3-D Secure", order["number"], "bank's app")

    def test_not_where_it_was_answered_in_time(
        self, api: Any, drain: Any, sandbox: StripeSandbox
    ) -> None:
        order = place(api, ("a", 1))
        confirm(api, order, CHALLENGED)
        sandbox.authenticate(order["payment"]["stripe"]["payment_intent"])
        drain(later=True)
        assert told() == [f"Order {order['number']} is paid"]

    def test_two_minutes_later_and_not_before(self, api: Any) -> None:
        confirm(api, place(api, ("a", 1)))
        row = OutboxMessage.objects.get(task="payments.notices.send")
        assert (row.next_attempt_at - row.created_at).total_seconds() == pytest.approx(120, abs=2)


class TestRefunds:
    def test_to_the_card(self, api: Any, staff_api: Any, drain: Any) -> None:
        order = buy(api, drain, ("a", 3))
        refund(staff_api, order["payment"], amount="12.50")
        drain()
        drain(later=True)
        assert told()[1:] == ["We have refunded 12.50 USD"]
        assert_says("to the card that you paid with", order["number"])

    def test_all_of_it_is_one_mail_as_well(self, api: Any, staff_api: Any, drain: Any) -> None:
        order = buy(api, drain, ("a", 1))
        refund(staff_api, order["payment"], destination="wallet")
        drain(later=True)
        assert told()[1:] == ["We have refunded 10.00 USD"]
        assert_says("10.00 USD is in your wallet now")

    def test_one_that_takes_long_is_on_its_way(
        self, api: Any, staff_api: Any, drain: Any, sandbox: StripeSandbox
    ) -> None:
        order = place(api, ("a", 1))
        confirm(api, order, "pm_card_pendingRefund")
        drain()
        refund(staff_api, order["payment"])
        drain()
        assert len(told()) == 1
        drain(later=True)
        assert told()[1:] == ["Your refund is on its way"]
        assert_says("10.00 USD back", "card")

    def test_one_that_the_bank_returns_is_in_the_wallet(
        self, api: Any, staff_api: Any, drain: Any, deliver: Any, sandbox: StripeSandbox
    ) -> None:
        order = place(api, ("a", 1))
        confirm(api, order, "pm_card_refundFail")
        drain()
        refund(staff_api, order["payment"])
        drain()
        sandbox.settle()
        deliver()
        drain(later=True)
        assert told()[1:] == ["We have refunded 10.00 USD", "Your refund is in your wallet"]
        assert_says("sent back our refund of 10.00 USD")

    def test_money_that_came_too_late_for_goods_that_are_gone(self, api: Any, drain: Any) -> None:
        order = place(api, ("a", 1))
        expire()
        place(client_for(UserFactory()), ("a", 10))
        pay_in_browser(order["payment"])
        drain()
        assert_says("the goods were gone by then", "to the card that you paid with")
        assert told()[-1] == "We have refunded 10.00 USD"

    def test_money_for_an_order_that_was_paid_already(self, api: Any, drain: Any) -> None:
        order = place(api, ("a", 1))
        second = post(api, f"{ORDERS}{order['number']}/payments/", {"method": "stripe"}).json()
        pay_in_browser(order["payment"])
        pay_in_browser(second)
        drain(later=True)
        assert sorted(told()) == [f"Order {order['number']} is paid", "We have refunded 10.00 USD"]
        assert_says("You had paid already")

    def test_late_money_that_could_still_be_used(self, api: Any, drain: Any) -> None:
        order = place(api, ("a", 1))
        expire()
        pay_in_browser(order["payment"])
        drain(later=True)
        number = order["number"]
        assert told() == [f"Order {number} has expired", f"Order {number} is paid"]
        assert_says("It came after its time was over")


class TestReview:
    def test_another_amount_than_was_asked_for_and_its_good_end(
        self, api: Any, staff_api: Any, drain: Any
    ) -> None:
        order = place(api, ("a", 1))
        received(order["payment"], 1250)
        drain()
        assert told() == ["We are looking at your payment"]
        assert_says("12.50 USD", "10.00 USD", order["number"])
        assert resolve(staff_api, order["payment"], "accept").status_code == 200
        drain()
        assert told()[1:] == [f"Order {order['number']} is paid"]
        assert_says("We have looked at it", "What you paid too much, 2.50 USD, is in your wallet")

    def test_its_other_end(self, api: Any, staff_api: Any, drain: Any) -> None:
        order = place(api, ("a", 1))
        received(order["payment"], 900)
        drain()
        body = {"destination": "wallet"}
        assert resolve(staff_api, order["payment"], "refund", **body).status_code == 200
        drain()
        assert told()[1:] == ["We have refunded 9.00 USD"]
        assert_says("9.00 USD is in your wallet now")

    @pytest.mark.parametrize("outcome", ["won", "lost"])
    def test_a_dispute_is_told_by_the_bank(
        self, api: Any, drain: Any, deliver: Any, sandbox: StripeSandbox, outcome: str
    ) -> None:
        order = disputed(api, drain, deliver)
        close(sandbox, outcome)
        deliver()
        drain(later=True)
        assert Payment.objects.get().status in ("succeeded", "reversed")
        assert told() == [f"Order {order['number']} is paid"]


class TestCost:
    """The one INSERT that a request may pay for a mail, and none where orders are placed."""

    def inserts(self, call: Any) -> list[str]:
        with CaptureQueriesContext(connection) as caught:
            assert call().status_code in (201, 202)
        return [query["sql"] for query in caught if query["sql"].startswith("INSERT")]

    def test_placing_an_order_writes_no_message_about_it(self, api: Any) -> None:
        place(api, ("a", 1))
        assert not OutboxMessage.objects.filter(task="payments.notices.send").exists()

    def test_paying_costs_one_insert_more(
        self, api: Any, drain: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        deposit(api, drain)

        def pay() -> Any:
            return post(api, ORDERS, order_body(("a", 1), method="wallet"))

        pay()
        with_mail = self.inserts(pay)
        monkeypatch.setattr(many, "_tell", lambda openings, payments: None)
        assert len(with_mail) == len(self.inserts(pay)) + 1


def test_staff_see_which_mails_have_gone(api: Any, drain: Any, client: Any) -> None:
    order = buy(api, drain, ("a", 1))
    drain(later=True)
    client.force_login(SuperuserFactory())
    notice = Notice.objects.get()
    pages = [
        client.get("/admin/payments/notice/", {"q": order["number"]}),
        client.get(page_of(notice)),
    ]
    for page in pages:
        assert page.status_code == 200
        assert order["payment"]["id"][:8] in page.content.decode()
        assert "succeeded" in page.content.decode()

"""Confirming, changing the way to pay, and money that comes late."""

from datetime import timedelta
from typing import Any

import pytest
from celery import current_app
from django.db.models.functions import Now

from common.outbox.models import OutboxMessage
from payments.checkout.services import orders_expire
from payments.intake.models import Payment, PaymentEvent
from payments.stripe import gateway
from payments.stripe import services as stripe
from payments.stripe.models import StripeAttempt, StripeIntent
from shop.inventory.models import Stock
from shop.orders.models import Order
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
    settled,
)
from tests.factories.shop import ProductFactory
from tests.factories.users import UserFactory, client_for

__all__ = ["own_rollbacks", "settled"]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_rollbacks", "settled", "sandbox")]


@pytest.fixture(autouse=True)
def lamp() -> Any:
    return ProductFactory(slug="brass-lamp", list_price=1999, stock=5)


def stock(product: Any) -> tuple[int, int]:
    row = Stock.objects.get(pk=product.pk)
    return row.on_hand, row.held


def intent_id(payment: Any) -> str:
    return str(payment["stripe"]["payment_intent"])


def charges(sandbox: Any, payment: Any) -> list[str]:
    return [c["status"] for c in sandbox.charges(payment_intent=intent_id(payment))]


def pay_in_browser(payment: Any, card: str = "pm_card_visa") -> None:
    """What Stripe.js does: the shop hears of it by an event or a poll."""
    gateway.client().v1.payment_intents.confirm(intent_id(payment), {"payment_method": card})


def past_deadline(order: Any, **ago: int) -> None:
    moment = Now() - timedelta(**ago)
    Order.objects.filter(number=order["number"]).update(expires_at=moment)
    Payment.objects.filter(order__number=order["number"]).update(expires_at=moment)


def change(client: Any, order: Any, method: str = "stripe") -> Any:
    return post(client, f"{ORDERS}{order['number']}/payments/", {"method": method})


def test_an_accepted_card_pays_the_order_once(
    api: Any, drain: Any, sandbox: Any, lamp: Any
) -> None:
    order = place(api, ("brass-lamp", 2))
    answer = confirm(api, order)
    assert (answer.status_code, answer.json()["status"]) == (202, "processing")
    drain(later=True)
    paid = get_order(api, order)
    assert (paid["status"], paid["payment"]["status"]) == ("paid", "succeeded")
    assert charges(sandbox, order["payment"]) == ["succeeded"]
    assert stock(lamp) == (3, 0)
    again = confirm(api, order)
    assert (again.status_code, again.json()["current"]) == (409, "succeeded")


@pytest.mark.parametrize(
    ("card", "code"),
    [
        ("pm_card_visa_chargeDeclined", "generic_decline"),
        ("pm_card_visa_chargeDeclinedInsufficientFunds", "insufficient_funds"),
        ("pm_card_chargeDeclinedFraudulent", "fraudulent"),
    ],
)
def test_a_declined_card_is_402_and_another_one_may_be_tried(
    api: Any, drain: Any, card: str, code: str
) -> None:
    order = place(api, ("brass-lamp", 1))
    refused = confirm(api, order, card)
    assert (refused.status_code, refused.json()["code"]) == (402, "card_declined")
    assert refused.json()["decline_code"] == code
    waiting = get_payment(api, order["payment"])
    assert (waiting["status"], waiting["last_error"]["decline_code"]) == ("awaiting", code)
    assert not Order.objects.get().deadline_suspended
    assert confirm(api, order).status_code == 202
    drain()
    assert get_order(api, order)["status"] == "paid"


def test_an_unknown_payment_method_is_400_and_changes_nothing(api: Any, drain: Any) -> None:
    order = place(api, ("brass-lamp", 1))
    answer = confirm(api, order, "pm_card_nonsense")
    assert (answer.status_code, answer.json()["code"]) == (400, "payment_method_invalid")
    assert get_payment(api, order["payment"])["status"] == "awaiting"
    assert not Order.objects.get().deadline_suspended
    assert confirm(api, order).status_code == 202
    drain()


def test_3d_secure_that_succeeds_pays_the_order(api: Any, drain: Any, sandbox: Any) -> None:
    order = place(api, ("brass-lamp", 1))
    answer = confirm(api, order, "pm_card_threeDSecure2Required")
    assert (answer.status_code, answer.json()["status"]) == (202, "processing")
    drain()
    assert change(api, order).status_code == 409
    sandbox.authenticate(intent_id(order["payment"]))
    stripe.intent_sync(payment_id=Payment.objects.get().pk)
    assert get_order(api, order)["status"] == "paid"


def test_3d_secure_that_fails_leaves_the_order_to_be_paid_another_way(
    api: Any, drain: Any, sandbox: Any, lamp: Any
) -> None:
    order = place(api, ("brass-lamp", 1))
    confirm(api, order, "pm_card_threeDSecure2Required")
    drain()
    sandbox.authenticate(intent_id(order["payment"]), "failure")
    stripe.intent_sync(payment_id=Payment.objects.get().pk)
    assert get_payment(api, order["payment"])["status"] == "failed"
    assert get_order(api, order)["status"] == "pending_payment"
    second = change(api, order)
    assert second.status_code == 201
    assert confirm(api, second.json()).status_code == 202
    drain()
    assert get_order(api, order)["status"] == "paid"
    assert stock(lamp) == (4, 0)


def test_3d_secure_that_nobody_answers_is_called_off_after_the_grace(
    api: Any, drain: Any, sandbox: Any, lamp: Any
) -> None:
    order = place(api, ("brass-lamp", 5))
    confirm(api, order, "pm_card_threeDSecure2Required")
    drain()
    past_deadline(order, minutes=14)
    stripe.intent_sync(payment_id=Payment.objects.get().pk)
    assert get_payment(api, order["payment"])["status"] == "processing"
    past_deadline(order, minutes=16)
    stripe.intent_sync(payment_id=Payment.objects.get().pk)
    assert get_payment(api, order["payment"])["status"] == "failed"
    assert orders_expire() == 1
    drain(later=True)
    assert stock(lamp) == (5, 0)


@pytest.mark.parametrize("action", ["reset_after_commit", "timeout"])
def test_an_unknown_outcome_is_202_and_the_task_finds_one_charge(
    api: Any, drain: Any, sandbox: Any, settings: Any, action: str
) -> None:
    order = place(api, ("brass-lamp", 1))
    settings.STRIPE_TIMEOUT_SECONDS = 1.0
    sandbox.fault("http", action, match="POST */confirm", times=2, seconds=3)
    answer = confirm(api, order)
    assert (answer.status_code, answer.json()["status"]) == (202, "awaiting")
    assert Order.objects.get().deadline_suspended
    sandbox.clear_faults()
    drain(later=True)
    assert get_order(api, order)["status"] == "paid"
    assert charges(sandbox, order["payment"]) == ["succeeded"]
    assert not StripeAttempt.objects.filter(open_for__isnull=False).exists()


def test_an_unknown_outcome_that_was_a_decline_leaves_the_payment_waiting(
    api: Any, drain: Any, sandbox: Any
) -> None:
    order = place(api, ("brass-lamp", 1))
    sandbox.fault("http", "reset_after_commit", match="POST */confirm", times=2)
    assert confirm(api, order, "pm_card_visa_chargeDeclined").status_code == 202
    sandbox.clear_faults()
    drain(later=True)
    assert get_payment(api, order["payment"])["status"] == "awaiting"
    assert not Order.objects.get().deadline_suspended
    assert confirm(api, order).status_code == 202
    drain(later=True)
    assert get_order(api, order)["status"] == "paid"


def test_a_second_confirm_while_the_first_is_in_doubt_is_409(
    api: Any, drain: Any, sandbox: Any
) -> None:
    order = place(api, ("brass-lamp", 1))
    sandbox.fault("http", "reset_after_commit", match="POST */confirm", times=2)
    assert confirm(api, order).status_code == 202
    second = confirm(api, order, "pm_card_mastercard")
    assert (second.status_code, second.json()["code"]) == (409, "confirmation_in_progress")
    assert second["Retry-After"]
    drain(later=True)
    assert charges(sandbox, order["payment"]) == ["succeeded"]


def test_after_the_deadline_no_card_is_tried(api: Any, sandbox: Any) -> None:
    order = place(api, ("brass-lamp", 1))
    past_deadline(order, seconds=1)
    answer = confirm(api, order)
    assert (answer.status_code, answer.json()["code"]) == (409, "payment_expired")
    assert charges(sandbox, order["payment"]) == []


def test_a_strangers_payment_is_missing_and_staff_only_look(api: Any, staff_api: Any) -> None:
    order = place(api, ("brass-lamp", 1))
    stranger, uid = client_for(UserFactory()), order["payment"]["id"]
    assert confirm(stranger, order).status_code == 404
    assert confirm(staff_api, order).status_code == 404
    assert stranger.get(f"/api/v1/payments/{uid}/").status_code == 404
    assert stranger.get("/api/v1/payments/").json()["results"] == []
    assert stranger.get(f"{STAFF}payments/{uid}/").status_code == 403
    assert staff_api.get(f"{STAFF}payments/{uid}/").json()["id"] == uid
    assert [p["id"] for p in api.get("/api/v1/payments/").json()["results"]] == [uid]
    found = staff_api.get(f"{STAFF}payments/", {"status": "awaiting", "method": "stripe"})
    assert [p["id"] for p in found.json()["results"]] == [uid]
    assert staff_api.get(f"{STAFF}payments/", {"method": "gold"}).status_code == 400


def test_changing_the_way_to_pay_replaces_the_earlier_payment_and_cancels_its_intent(
    api: Any, drain: Any
) -> None:
    order = place(api, ("brass-lamp", 1))
    changed = change(api, order)
    assert changed.status_code == 201
    assert changed.json()["id"] != order["payment"]["id"]
    assert get_payment(api, order["payment"])["status"] == "replaced"
    assert get_order(api, order)["payment"]["id"] == changed.json()["id"]
    assert confirm(api, order).status_code == 409
    drain()
    assert gateway.retrieve_intent(intent_id(order["payment"])).status == "canceled"
    assert confirm(api, changed.json()).status_code == 202
    drain()
    assert get_order(api, order)["status"] == "paid"
    assert change(api, order).status_code == 409


def test_late_money_on_a_replaced_payment_pays_and_the_new_one_is_replaced(
    api: Any, drain: Any, lamp: Any
) -> None:
    order = place(api, ("brass-lamp", 1))
    second = change(api, order).json()
    pay_in_browser(order["payment"])
    drain()
    paid = get_order(api, order)
    assert (paid["status"], paid["payment"]["id"]) == ("paid", order["payment"]["id"])
    assert (paid["payment"]["status"], paid["payment"]["reason"]) == ("succeeded", "late")
    assert get_payment(api, second)["status"] == "replaced"
    assert stock(lamp) == (4, 0)


def test_money_on_both_payments_pays_once_and_the_second_goes_back(
    api: Any, drain: Any, lamp: Any, sandbox: Any
) -> None:
    order = place(api, ("brass-lamp", 1))
    second = change(api, order).json()
    pay_in_browser(order["payment"])
    pay_in_browser(second)
    drain(later=True)
    found = [get_payment(api, p) for p in (order["payment"], second)]
    assert sorted(p["status"] for p in found) == ["refunded", "succeeded"]
    back = next(p for p in found if p["status"] == "refunded")
    kept = next(p for p in found if p["status"] == "succeeded")
    assert (back["reason"], back["refunded_amount"]) == ("multiple", "19.99")
    assert get_order(api, order)["status"] == "paid"
    assert get_order(api, order)["refunded_amount"] == "0.00"
    assert get_order(api, order)["payment"]["id"] == kept["id"]
    summary = api.get("/api/v1/purchases/summary/").json()
    assert summary["by_method"] == [{"method": "stripe", "payments": 1, "spent": "19.99"}]
    assert stock(lamp) == (4, 0)


@pytest.mark.parametrize("how", ["expired", "cancelled"])
def test_late_money_for_a_gone_order_takes_the_stock_again(
    api: Any, drain: Any, lamp: Any, how: str
) -> None:
    order = place(api, ("brass-lamp", 2))
    if how == "expired":
        past_deadline(order, seconds=1)
        orders_expire()
    else:
        post(api, f"{ORDERS}{order['number']}/cancel/")
    assert stock(lamp) == (5, 0)
    pay_in_browser(order["payment"])
    drain(later=True)
    assert get_order(api, order)["status"] == "paid"
    assert stock(lamp) == (3, 0)


def test_late_money_whose_stock_is_gone_is_refunded_by_itself(
    api: Any, drain: Any, lamp: Any, sandbox: Any
) -> None:
    order = place(api, ("brass-lamp", 2))
    post(api, f"{ORDERS}{order['number']}/cancel/")
    other = client_for(UserFactory())
    rest = place(other, ("brass-lamp", 4))
    pay_in_browser(order["payment"])
    drain(later=True)
    gone = get_order(api, order)
    assert (gone["status"], gone["payment"]["status"]) == ("cancelled", "refunded")
    assert (gone["payment"]["reason"], gone["payment"]["refunded_amount"]) == (
        "stock_gone",
        "39.98",
    )
    assert len(sandbox.refunds(intent_id(order["payment"]))) == 1
    assert get_order(other, rest)["status"] == "pending_payment"
    assert stock(lamp) == (5, 4)


def test_each_task_body_run_twice_gives_the_state_of_once(api: Any, drain: Any, lamp: Any) -> None:
    order = buy(api, drain, ("brass-lamp", 1))
    cancelled = place(api, ("brass-lamp", 1))
    post(api, f"{ORDERS}{cancelled['number']}/cancel/")
    drain(later=True)

    def state() -> list[Any]:
        return [
            get_order(api, order), get_order(api, cancelled), stock(lamp),
            PaymentEvent.objects.count(), StripeIntent.objects.count(),
        ]  # fmt: skip

    before = state()
    done = list(OutboxMessage.objects.exclude(done_at=None))
    assert len({m.task for m in done}) >= 4
    for message in done:
        current_app.tasks[message.task](**message.payload)
    drain(later=True)
    assert state() == before


def test_polls_settle_what_no_webhook_told(api: Any, drain: Any) -> None:
    order = place(api, ("brass-lamp", 1))
    pay_in_browser(order["payment"])
    assert stripe.poll() == 0
    StripeIntent.objects.update(next_poll_at=Now())
    assert stripe.poll() == 1
    drain()
    assert get_order(api, order)["status"] == "paid"
    StripeIntent.objects.filter(next_poll_at__isnull=False).update(next_poll_at=Now())
    assert stripe.poll() == 0


def test_an_attempt_on_a_replaced_payment_charges_nobody(
    api: Any, drain: Any, sandbox: Any
) -> None:
    order = place(api, ("brass-lamp", 1))
    sandbox.fault("http", "status", match="POST */confirm", status=429, times=4)
    assert confirm(api, order).status_code == 202
    sandbox.clear_faults()
    payment = Payment.objects.get()
    Payment.objects.update(status="replaced", open_for=None)
    stripe.attempt_resolve(payment_id=payment.pk)
    assert charges(sandbox, order["payment"]) == []

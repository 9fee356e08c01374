"""PaymentIntents: the state machine, declines, 3-D Secure, saved cards."""

import httpx
import pytest
import stripe

from payments.sandbox.stripe.cards import CARDS, NUMBERS, luhn
from tests.contracts.stripe_fixtures import intent_params, pay, types

pytest_plugins = ["tests.contracts.stripe_fixtures"]

DECLINES = {
    "pm_card_chargeDeclined": ("card_declined", "generic_decline"),
    "pm_card_visa_chargeDeclined": ("card_declined", "generic_decline"),
    "pm_card_visa_chargeDeclinedInsufficientFunds": ("card_declined", "insufficient_funds"),
    "pm_card_visa_chargeDeclinedLostCard": ("card_declined", "lost_card"),
    "pm_card_visa_chargeDeclinedStolenCard": ("card_declined", "stolen_card"),
    "pm_card_visa_chargeDeclinedVelocityLimitExceeded": (
        "card_declined",
        "card_velocity_exceeded",
    ),
    "pm_card_chargeDeclinedExpiredCard": ("expired_card", None),
    "pm_card_chargeDeclinedIncorrectCvc": ("incorrect_cvc", None),
    "pm_card_chargeDeclinedProcessingError": ("processing_error", None),
}


def card(number, **fields):
    details = {"number": number, "exp_month": 12, "exp_year": 2034, "cvc": "123", **fields}
    return {"type": "card", "card": details}


def fails(call, *args):
    with pytest.raises(stripe.StripeError) as caught:
        call(*args)
    return caught.value


def test_an_intent_goes_from_no_method_to_succeeded(client, stand_in):
    intent = client.v1.payment_intents.create(intent_params(metadata={"order": "7"}))
    assert intent.status == "requires_payment_method"
    assert intent.client_secret.startswith(f"{intent.id}_secret_")
    assert intent.automatic_payment_methods is None
    intent = client.v1.payment_intents.update(intent.id, {"payment_method": "pm_card_visa"})
    assert intent.status == "requires_confirmation"
    intent = client.v1.payment_intents.confirm(intent.id)
    assert (intent.status, intent.amount_received) == ("succeeded", 1000)
    assert types(stand_in.events()) == [
        "payment_intent.created",
        "charge.succeeded",
        "payment_intent.succeeded",
    ]
    charge = client.v1.charges.retrieve(intent.latest_charge)
    assert (charge.paid, charge.captured, charge.metadata["order"]) == (True, True, "7")


def test_confirm_takes_the_payment_method_itself(client):
    intent = client.v1.payment_intents.create(intent_params())
    params = {"payment_method": "pm_card_mastercard", "expand": ["latest_charge"]}
    intent = client.v1.payment_intents.confirm(intent.id, params)
    assert intent.status == "succeeded"
    assert intent.latest_charge.payment_method_details.card.brand == "mastercard"
    assert intent.payment_method.startswith("pm_3"), "the name of a test card is not an id"


def test_retrieve_expands_the_charge_and_its_refunds_only_when_asked(client):
    intent = pay(client)
    assert isinstance(client.v1.payment_intents.retrieve(intent.id).latest_charge, str)
    params = {"expand": ["latest_charge.refunds", "payment_method"]}
    expanded = client.v1.payment_intents.retrieve(intent.id, params)
    assert expanded.latest_charge.refunds.data == []
    assert expanded.payment_method.card.last4 == "4242"
    assert client.v1.charges.retrieve(intent.latest_charge)["refunds"] is None
    error = fails(client.v1.payment_intents.retrieve, intent.id, {"expand": ["amount"]})
    assert "cannot be expanded" in error.user_message


def test_the_balance_line_of_an_asynchronous_capture_comes_later(client, stand_in):
    intent = pay(client)
    assert client.v1.charges.retrieve(intent.latest_charge).balance_transaction is None
    assert stand_in.settle() == 1
    line = client.v1.charges.retrieve(intent.latest_charge).balance_transaction
    assert client.v1.balance_transactions.retrieve(line).net == 1000 - 59
    assert types(stand_in.events())[-1] == "charge.updated"


@pytest.mark.parametrize(("method", "expected"), DECLINES.items())
def test_a_declined_card_leaves_a_failed_charge_and_an_intent_to_try_again(
    client, stand_in, method, expected
):
    intent = client.v1.payment_intents.create(intent_params())
    error = fails(client.v1.payment_intents.confirm, intent.id, {"payment_method": method})
    assert isinstance(error, stripe.CardError)
    assert error.http_status == 402
    body = error.json_body["error"]
    assert (error.code, body.get("decline_code")) == expected
    assert body["payment_intent"]["status"] == "requires_payment_method"
    intent = client.v1.payment_intents.retrieve(intent.id)
    assert (intent.status, intent.payment_method) == ("requires_payment_method", None)
    assert intent.last_payment_error.code == expected[0]
    charge = client.v1.charges.retrieve(intent.latest_charge)
    assert (charge.status, charge.paid, charge.failure_code) == ("failed", False, expected[0])
    assert types(stand_in.events())[-2:] == ["charge.failed", "payment_intent.payment_failed"]
    paid = client.v1.payment_intents.confirm(intent.id, {"payment_method": "pm_card_visa"})
    assert (paid.status, paid.last_payment_error) == ("succeeded", None)


def test_three_d_secure_completed_pays(client, stand_in):
    intent = pay(client, "pm_card_threeDSecure2Required")
    assert (intent.status, intent.next_action.type) == ("requires_action", "use_stripe_sdk")
    assert stand_in.charges() == []
    assert stand_in.authenticate(intent.id)["status"] == "succeeded"
    intent = client.v1.payment_intents.retrieve(intent.id, {"expand": ["latest_charge"]})
    details = intent.latest_charge.payment_method_details.card
    assert details.three_d_secure.result == "authenticated"
    assert intent.next_action is None
    assert "payment_intent.requires_action" in types(stand_in.events())


def test_three_d_secure_failed_asks_for_another_card_and_charges_nothing(client, stand_in):
    intent = pay(client, "pm_card_authenticationRequired")
    after = stand_in.authenticate(intent.id, "failure")
    assert after["status"] == "requires_payment_method"
    assert after["last_payment_error"]["code"] == "payment_intent_authentication_failure"
    assert stand_in.charges() == []
    assert types(stand_in.events())[-1] == "payment_intent.payment_failed"


def test_a_card_can_still_be_declined_after_three_d_secure(client, stand_in):
    name = "pm_card_authenticationRequiredChargeDeclinedInsufficientFunds"
    after = stand_in.authenticate(pay(client, name).id)
    assert after["last_payment_error"]["decline_code"] == "insufficient_funds"
    assert stand_in.charges()[0]["status"] == "failed"


def test_off_session_a_challenge_is_a_decline(client):
    error = fails(lambda: pay(client, "pm_card_authenticationRequired", off_session=True))
    assert error.code == "authentication_required"
    assert error.error.payment_intent.status == "requires_payment_method"


def test_the_banks_page_completes_a_payment_and_leads_back_to_the_shop(client, stand_in):
    back = "https://shop.example/paid?order=1"
    intent = pay(client, "pm_card_authenticationRequired", return_url=back)
    page = intent.next_action.redirect_to_url.url
    assert "Complete" in httpx.get(page).text
    form = {"client_secret": intent.client_secret, "outcome": "success"}
    answer = httpx.post(page, data=form)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith(f"{back}&payment_intent={intent.id}")
    assert answer.headers["location"].endswith("redirect_status=succeeded")
    assert client.v1.payment_intents.retrieve(intent.id).status == "succeeded"
    assert "Nothing is left" in httpx.post(page, data=form).text


def test_the_banks_page_wants_the_intents_secret(client, stand_in):
    intent = pay(client, "pm_card_authenticationRequired")
    page = f"{stand_in.url}/authenticate/{intent.id}"
    assert httpx.get(page).status_code == 404
    form = {"client_secret": f"{intent.id}_secret_guess", "outcome": "success"}
    assert httpx.post(page, data=form).status_code == 404
    assert client.v1.payment_intents.retrieve(intent.id).status == "requires_action"


def test_manual_capture_holds_and_then_takes_at_most_what_was_held(client, stand_in):
    intent = pay(client, capture_method="manual")
    assert (intent.status, intent.amount_capturable) == ("requires_capture", 1000)
    assert types(stand_in.events())[-1] == "payment_intent.amount_capturable_updated"
    error = fails(client.v1.payment_intents.capture, intent.id, {"amount_to_capture": 1001})
    assert error.code == "amount_too_large"
    intent = client.v1.payment_intents.capture(intent.id, {"amount_to_capture": 600})
    assert (intent.status, intent.amount_received) == ("succeeded", 600)
    again = fails(client.v1.payment_intents.capture, intent.id)
    assert again.code == "payment_intent_unexpected_state"


def test_an_open_intent_can_be_cancelled_and_then_nothing_more(client, stand_in):
    intent = client.v1.payment_intents.create(intent_params())
    params = {"cancellation_reason": "abandoned"}
    intent = client.v1.payment_intents.cancel(intent.id, params)
    assert (intent.status, intent.cancellation_reason) == ("canceled", "abandoned")
    assert types(stand_in.events())[-1] == "payment_intent.canceled"
    method = {"payment_method": "pm_card_visa"}
    for step in (
        lambda: client.v1.payment_intents.confirm(intent.id, method),
        lambda: client.v1.payment_intents.cancel(intent.id),
        lambda: client.v1.payment_intents.capture(intent.id),
        lambda: client.v1.payment_intents.update(intent.id, {"amount": 900}),
    ):
        error = fails(step)
        assert error.code == "payment_intent_unexpected_state"
        assert error.error.payment_intent.id == intent.id
    assert stand_in.charges() == []


def test_cancelling_an_uncaptured_payment_lets_the_money_go(client):
    intent = pay(client, capture_method="manual")
    client.v1.payment_intents.cancel(intent.id)
    charge = client.v1.charges.retrieve(intent.latest_charge)
    assert (charge.captured, charge.refunded) == (False, True)


def test_a_paid_intent_is_neither_cancelled_nor_paid_again(client, stand_in):
    intent = pay(client)
    method = {"payment_method": "pm_card_visa"}
    for step in (
        lambda: client.v1.payment_intents.confirm(intent.id, method),
        lambda: client.v1.payment_intents.cancel(intent.id),
    ):
        assert fails(step).code == "payment_intent_unexpected_state"
    assert len(stand_in.charges()) == 1
    intent = client.v1.payment_intents.update(intent.id, {"metadata": {"note": "kept"}})
    assert intent.metadata["note"] == "kept"


def test_confirming_without_a_method_is_refused(client):
    intent = client.v1.payment_intents.create(intent_params())
    error = fails(client.v1.payment_intents.confirm, intent.id)
    assert error.code == "payment_intent_unexpected_state"


def test_automatic_methods_want_a_way_back(client):
    intent = client.v1.payment_intents.create({"amount": 1000, "currency": "usd"})
    method = {"payment_method": "pm_card_visa"}
    error = fails(client.v1.payment_intents.confirm, intent.id, method)
    assert "return_url" in error.user_message
    back = {**method, "return_url": "https://shop.example/"}
    assert client.v1.payment_intents.confirm(intent.id, back).status == "succeeded"


def test_a_slow_bank_keeps_the_intent_processing(client, stand_in):
    stand_in.fault("payments", "processing")
    intent = pay(client)
    assert (intent.status, stand_in.charges()) == ("processing", [])
    assert stand_in.settle() >= 1
    assert client.v1.payment_intents.retrieve(intent.id).status == "succeeded"
    assert "payment_intent.processing" in types(stand_in.events())


def test_a_saved_card_pays_only_for_its_customer(client):
    mine, other = (client.v1.customers.create({"email": f"{n}@example.com"}) for n in "ab")
    method = client.v1.payment_methods.attach("pm_card_visa", {"customer": mine.id})
    assert pay(client, method.id, customer=mine.id).status == "succeeded"
    assert pay(client, method.id, customer=mine.id).status == "succeeded"
    assert "another" in fails(lambda: pay(client, method.id, customer=other.id)).user_message
    assert "belongs to a Customer" in fails(lambda: pay(client, method.id)).user_message
    assert client.v1.payment_methods.list({"customer": mine.id}).data[0].id == method.id


def test_a_card_that_is_nobodys_pays_once(client):
    method = client.v1.payment_methods.create(card("4242424242424242"))
    assert pay(client, method.id).status == "succeeded"
    assert "may not be used again" in fails(lambda: pay(client, method.id)).user_message


def test_setting_up_for_later_spares_the_next_challenge(client, stand_in):
    customer = client.v1.customers.create()
    method = client.v1.payment_methods.create(card("4000002500003155"))
    first = pay(client, method.id, customer=customer.id, setup_future_usage="off_session")
    assert stand_in.authenticate(first.id)["status"] == "succeeded"
    assert pay(client, method.id, customer=customer.id, off_session=True).status == "succeeded"


@pytest.mark.parametrize(
    ("number", "brand"),
    [("4242424242424242", "visa"), ("5555555555554444", "mastercard"), ("378282246310005", "amex")],
)
def test_test_numbers_make_payment_methods(client, number, brand):
    method = client.v1.payment_methods.create(card(number))
    assert (method.card.brand, method.card.last4) == (brand, number[-4:])
    assert client.v1.payment_methods.retrieve(method.id).id == method.id


@pytest.mark.parametrize(
    ("details", "code"),
    [
        (card("4242424242424241"), "incorrect_number"),
        (card("4242424242424242", exp_month=13), "invalid_expiry_month"),
        (card("4242424242424242", exp_year=2001), "invalid_expiry_year"),
        (card("4242424242424242", cvc="99"), "invalid_cvc"),
        (card("4111111111111111"), "card_declined"),
    ],
)
def test_bad_card_details_are_card_errors(client, details, code):
    error = fails(client.v1.payment_methods.create, details)
    assert (error.http_status, error.code) == (402, code)


def test_declined_numbers_decline(client):
    method = client.v1.payment_methods.create(card("4000000000009995"))
    assert fails(lambda: pay(client, method.id)).error.decline_code == "insufficient_funds"


def test_a_customer_cannot_keep_a_declined_card(client):
    customer = client.v1.customers.create()
    attach = client.v1.payment_methods.attach
    error = fails(attach, "pm_card_chargeDeclined", {"customer": customer.id})
    assert (error.code, error.http_status) == ("card_declined", 402)
    kept = attach("pm_card_chargeCustomerFail", {"customer": customer.id})
    assert fails(lambda: pay(client, kept.id, customer=customer.id)).code == "card_declined"


def test_every_test_number_passes_the_check_digit():
    assert [name for number, name in NUMBERS.items() if not luhn(number)] == []
    assert "pm_card_visa_chargeDeclinedExpiredCard" not in CARDS, "Stripe has no such card"

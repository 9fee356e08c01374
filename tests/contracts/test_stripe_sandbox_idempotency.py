"""Idempotency keys: replay, refusal, what is kept and for how long, unknown outcomes."""

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import httpx
import pytest
import stripe
from stripe import StripeClient

from payments.sandbox.stripe import StripeSandbox
from tests.contracts.stripe_fixtures import KEY, client_of, intent_params, pay, refund_of

pytest_plugins = ["tests.contracts.stripe_fixtures"]


def keyed(key="order-1-attempt-1"):
    return {"idempotency_key": key}


def charged(**fields):
    return intent_params(payment_method="pm_card_visa", confirm=True, **fields)


def test_the_same_key_and_parameters_answer_the_first_answer_again(client, stand_in):
    first = client.v1.payment_intents.create(charged(), keyed())
    again = client.v1.payment_intents.create(charged(), keyed())
    assert again.to_dict() == first.to_dict()
    assert first.last_response.headers.get("idempotent-replayed") is None
    assert again.last_response.headers["idempotent-replayed"] == "true"
    assert again.last_response.headers["original-request"] == first.last_response.request_id
    assert len(stand_in.charges()) == 1
    assert [c["replayed"] for c in stand_in.calls(idempotency_key=keyed()["idempotency_key"])] == [
        False,
        True,
    ]


def test_a_replay_shows_the_first_answer_even_after_the_object_changed(client):
    intent = client.v1.payment_intents.create(intent_params(), keyed())
    client.v1.payment_intents.cancel(intent.id)
    again = client.v1.payment_intents.create(intent_params(), keyed())
    assert again.status == "requires_payment_method"


def test_the_same_key_with_other_parameters_is_refused(client, stand_in):
    client.v1.payment_intents.create(charged(), keyed())
    with pytest.raises(stripe.IdempotencyError, match="same parameters") as caught:
        client.v1.payment_intents.create(charged(description="another"), keyed())
    assert caught.value.http_status == 400
    assert len(stand_in.charges()) == 1


def test_the_same_key_on_another_path_is_refused(client):
    intent = client.v1.payment_intents.create(intent_params(), keyed())
    with pytest.raises(stripe.IdempotencyError, match="same endpoint"):
        client.v1.payment_intents.cancel(intent.id, {}, keyed())


def test_other_keys_are_other_payments(client, stand_in):
    for number in range(3):
        client.v1.payment_intents.create(charged(), keyed(f"attempt-{number}"))
    assert len(stand_in.charges()) == 3


def test_a_decline_is_replayed_so_a_new_attempt_needs_a_new_key(client, stand_in):
    intent = client.v1.payment_intents.create(intent_params())
    bad = {"payment_method": "pm_card_visa_chargeDeclined"}
    for _ in range(2):
        with pytest.raises(stripe.CardError):
            client.v1.payment_intents.confirm(intent.id, bad, keyed("attempt-1"))
    assert len(stand_in.charges()) == 1
    with pytest.raises(stripe.IdempotencyError):
        client.v1.payment_intents.confirm(
            intent.id, {"payment_method": "pm_card_visa"}, keyed("attempt-1")
        )
    good = {"payment_method": "pm_card_visa"}
    assert client.v1.payment_intents.confirm(intent.id, good, keyed("2")).status == "succeeded"


def test_a_refusal_of_the_endpoint_is_replayed(client):
    intent = pay(client, capture_method="manual")
    params = {"payment_intent": intent.id}
    for _ in range(2):
        with pytest.raises(stripe.InvalidRequestError):
            client.v1.refunds.create(params, keyed())
        client.v1.payment_intents.retrieve(intent.id)
    client.v1.payment_intents.capture(intent.id)
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.refunds.create(params, keyed())
    assert caught.value.headers["idempotent-replayed"] == "true"


def test_a_call_that_fails_validation_leaves_its_key_free(client):
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.payment_intents.create(intent_params(colour="red"), keyed())
    assert client.v1.payment_intents.create(intent_params(), keyed()).id


def test_a_500_is_kept_and_replayed(client, stand_in):
    stand_in.fault("http", "status", match="POST /v1/payment_intents", status=500)
    for _ in range(2):
        with pytest.raises(stripe.APIError) as caught:
            client.v1.payment_intents.create(charged(), keyed())
        assert caught.value.http_status == 500
    assert caught.value.headers["idempotent-replayed"] == "true"
    assert stand_in.charges() == []
    client.v1.payment_intents.create(charged(), keyed("another"))
    assert len(stand_in.charges()) == 1


def test_a_429_is_not_kept(client, stand_in):
    stand_in.fault("http", "status", status=429)
    with pytest.raises(stripe.RateLimitError):
        client.v1.payment_intents.create(charged(), keyed())
    assert client.v1.payment_intents.create(charged(), keyed()).status == "succeeded"


def test_a_key_is_forgotten_after_a_day():
    now = [1_800_000_000.0]
    with StripeSandbox(":memory:", clock=lambda: now[0]) as stand_in:
        client = client_of(stand_in)
        first = client.v1.payment_intents.create(intent_params(), keyed())
        now[0] += 86_390
        assert client.v1.payment_intents.create(intent_params(), keyed()).id == first.id
        now[0] += 20
        assert client.v1.payment_intents.create(intent_params(), keyed()).id != first.id


def test_a_key_in_use_is_a_409(client, stand_in):
    stand_in.fault("http", "delay", seconds=1.0, match="POST /v1/payment_intents")
    slow = threading.Thread(target=lambda: client.v1.payment_intents.create(charged(), keyed()))
    slow.start()
    time.sleep(0.3)
    with pytest.raises(stripe.APIError) as caught:
        client_of(stand_in).v1.payment_intents.create(charged(), keyed())
    slow.join()
    # stripe-python has no class for a 409: status and body are what tells.
    assert caught.value.http_status == 409
    assert caught.value.json_body["error"]["code"] == "idempotency_key_in_use"
    assert len(stand_in.charges()) == 1


def test_fifty_concurrent_calls_with_one_key_charge_once(stand_in):
    def call(_):
        try:
            return client_of(stand_in).v1.payment_intents.create(charged(), keyed()).id
        except stripe.APIError as error:
            return error.http_status

    with ThreadPoolExecutor(50) as pool:
        answers = set(pool.map(call, range(50))) - {409}
    assert len(answers) == 1
    assert len(stand_in.charges()) == 1


def test_work_done_but_unanswered_and_asked_again_charges_once(client, stand_in):
    stand_in.fault("http", "reset_after_commit", match="POST /v1/payment_intents")
    with pytest.raises(stripe.APIConnectionError):
        client.v1.payment_intents.create(charged(), keyed())
    assert len(stand_in.charges()) == 1, "the money moved and nobody was told"
    assert client.v1.payment_intents.create(charged(), keyed()).status == "succeeded"
    assert len(stand_in.charges()) == 1
    assert [call["answered"] for call in stand_in.calls()] == [False, True]


def test_the_control_another_key_after_an_unknown_outcome_charges_twice(client, stand_in):
    stand_in.fault("http", "reset_after_commit", match="POST /v1/payment_intents")
    with pytest.raises(stripe.APIConnectionError):
        client.v1.payment_intents.create(charged(), keyed("one"))
    client.v1.payment_intents.create(charged(), keyed("two"))
    assert len(stand_in.charges()) == 2


def test_the_librarys_own_retries_are_safe(stand_in):
    client = StripeClient(KEY, base_addresses={"api": stand_in.url}, max_network_retries=2)
    stand_in.fault("http", "reset_after_commit", match="POST /v1/payment_intents")
    assert client.v1.payment_intents.create(charged()).status == "succeeded"
    assert len(stand_in.charges()) == 1


def test_a_timeout_does_nothing_and_says_nothing(client, stand_in):
    stand_in.fault("http", "timeout", seconds=0.1)
    with pytest.raises(stripe.APIConnectionError):
        client.v1.payment_intents.create(charged(), keyed())
    assert stand_in.charges() == []
    assert client.v1.payment_intents.create(charged(), keyed()).status == "succeeded"


def test_a_refund_asked_twice_with_one_key_is_one_refund(client, stand_in):
    intent = pay(client)
    first = client.v1.refunds.create({"payment_intent": intent.id, "amount": 100}, keyed())
    again = client.v1.refunds.create({"payment_intent": intent.id, "amount": 100}, keyed())
    assert first.id == again.id
    assert refund_of(client, intent, amount=900).amount == 900


@pytest.mark.parametrize("length", [255, 256])
def test_keys_have_at_most_255_characters(stand_in, length):
    headers = {"Authorization": f"Bearer {KEY}", "Idempotency-Key": "k" * length}
    answer = httpx.post(f"{stand_in.url}/v1/customers", headers=headers)
    assert answer.status_code == (200 if length == 255 else 400)


def test_half_a_request_of_a_caller_who_died_is_none_and_leaves_its_key_free(client, stand_in):
    """What had come by then would have been a payment of its own."""
    come = "amount=1000&currency=usd"
    address = urlsplit(stand_in.url)
    head = (
        f"POST /v1/payment_intents HTTP/1.1\r\nHost: {address.netloc}\r\n"
        f"Authorization: Bearer {KEY}\r\nIdempotency-Key: half\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 99\r\n\r\n"
    )
    with socket.create_connection((address.hostname, address.port), timeout=30) as link:
        link.sendall((head + come).encode())
        link.shutdown(socket.SHUT_WR)
        assert link.recv(1000) == b""
    assert client.v1.payment_intents.list().data == []
    params = intent_params(amount=2000)
    made = client.v1.payment_intents.create(params, keyed("half"))
    assert made.amount == 2000

"""Keys, parameters and ids that Stripe refuses are refused here too."""

import base64
import io

import httpx
import pytest
import stripe

from payments.sandbox.stripe import StripeSandbox
from tests.contracts.stripe_fixtures import KEY, client_of, intent_params, pay

pytest_plugins = ["tests.contracts.stripe_fixtures"]


def refused(call, *args):
    with pytest.raises(stripe.InvalidRequestError) as caught:
        call(*args)
    return caught.value


@pytest.mark.parametrize(
    "header",
    [
        None,
        "Bearer sk_live_1234567890abcdef",
        "Bearer pk_test_1234567890",
        "Bearer sk_test_",
        "Basic !!!",
        f"Digest {KEY}",
    ],
)
def test_any_other_key_is_a_401_in_stripes_shape(stand_in, header):
    headers = {"Authorization": header} if header else {}
    answer = httpx.get(f"{stand_in.url}/v1/customers", headers=headers)
    assert answer.status_code == 401
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert "1234567890abcdef" not in answer.text


def test_a_wrong_key_is_an_authentication_error_of_the_library(stand_in):
    with pytest.raises(stripe.AuthenticationError):
        client_of(stand_in, "sk_live_0123456789").v1.customers.list()


def test_basic_authentication_is_accepted(stand_in):
    header = "Basic " + base64.b64encode(f"{KEY}:".encode()).decode()
    headers = {"Authorization": header, "Stripe-Version": "2026-10-28.endive"}
    assert httpx.get(f"{stand_in.url}/v1/customers", headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("params", "code", "param"),
    [
        ({"currency": "usd"}, "parameter_missing", "amount"),
        ({"amount": 1000}, "parameter_missing", "currency"),
        ({"amount": 1000, "currency": "usd", "colour": "red"}, "parameter_unknown", "colour"),
        ({"amount": "ten", "currency": "usd"}, "parameter_invalid_integer", "amount"),
        ({"amount": "10.5", "currency": "usd"}, "parameter_invalid_integer", "amount"),
        ({"amount": "9" * 19, "currency": "usd"}, "parameter_invalid_integer", "amount"),
        ({"amount": -100, "currency": "usd"}, "parameter_invalid_integer", "amount"),
        ({"amount": 0, "currency": "usd"}, "parameter_invalid_integer", "amount"),
        ({"amount": "", "currency": "usd"}, "parameter_invalid_empty", "amount"),
        ({"amount": 49, "currency": "usd"}, "amount_too_small", "amount"),
        ({"amount": 100_000_000, "currency": "usd"}, "amount_too_large", "amount"),
        ({"amount": 1000, "currency": "xyz"}, None, "currency"),
        (intent_params(capture_method="never"), None, "capture_method"),
        (intent_params(confirm="maybe"), None, "confirm"),
        (intent_params(receipt_email="nobody"), "email_invalid", "receipt_email"),
        (intent_params(metadata={"k" * 41: "v"}), None, "metadata"),
        (intent_params(customer="cus_nobody"), "resource_missing", "customer"),
        (intent_params(payment_method="pm_card_gold"), "resource_missing", "payment_method"),
        (intent_params(off_session=True), None, "off_session"),
        (
            intent_params(allowed_payment_method_types=["klarna"]),
            None,
            "allowed_payment_method_types",
        ),
        (
            {"amount": 1000, "currency": "usd", "payment_method_types": ["card"]},
            "payment_method_types_no_longer_supported",
            "payment_method_types",
        ),
    ],
)
def test_bad_parameters_are_refused_by_name(client, stand_in, params, code, param):
    error = refused(client.v1.payment_intents.create, params)
    assert (error.http_status, error.code, error.param) == (400, code, param)
    assert client.v1.payment_intents.list().data == []


def test_the_least_amount_passes(client):
    assert client.v1.payment_intents.create(intent_params(amount=50)).amount == 50


@pytest.mark.parametrize(
    "path",
    [
        "customers/cus_x",
        "payment_intents/pi_x",
        "payment_methods/pm_x",
        "charges/ch_x",
        "refunds/re_x",
        "disputes/dp_x",
        "events/evt_x",
        "balance_transactions/txn_x",
    ],
)
def test_an_unknown_id_is_a_404(stand_in, path):
    answer = httpx.get(f"{stand_in.url}/v1/{path}", auth=(KEY, ""))
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "resource_missing"


def test_an_id_of_another_kind_is_unknown(client):
    intent = pay(client)
    with pytest.raises(stripe.InvalidRequestError, match="No such charge"):
        client.v1.charges.retrieve(intent.id)


@pytest.mark.parametrize(("method", "path"), [("GET", "/v1/cookies"), ("PUT", "/v1/customers")])
def test_an_unknown_url_is_a_404(stand_in, method, path):
    answer = httpx.request(method, f"{stand_in.url}{path}", auth=(KEY, ""))
    assert answer.status_code == 404
    assert "Unrecognized request URL" in answer.json()["error"]["message"]


@pytest.mark.parametrize("body", ["a[b=1", "a]b[=1", "amount=1&amount[x]=2", "a[" * 20 + "=1"])
def test_a_broken_form_is_a_400(stand_in, body):
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = httpx.post(
        f"{stand_in.url}/v1/payment_intents", content=body, headers=headers, auth=(KEY, "")
    )
    assert answer.status_code == 400


def test_a_huge_body_is_refused(stand_in):
    body = {"description": "x" * 2_000_000}
    try:
        answer = httpx.post(f"{stand_in.url}/v1/customers", data=body, auth=(KEY, ""))
    except httpx.TransportError:
        return
    assert answer.status_code == 413


def test_customers_are_created_updated_found_and_deleted(client, stand_in):
    customer = client.v1.customers.create(
        {"email": "a@example.com", "name": "A", "metadata": {"user": "1", "old": "x"}}
    )
    client.v1.customers.create({"email": "b@example.com"})
    params = {"name": "Ann", "metadata": {"old": "", "new": "y"}}
    updated = client.v1.customers.update(customer.id, params)
    assert updated.metadata.to_dict() == {"user": "1", "new": "y"}
    found = client.v1.customers.list({"email": "a@example.com"})
    assert [(c.id, c.name) for c in found.data] == [(customer.id, "Ann")]
    assert client.v1.customers.delete(customer.id).deleted is True
    assert client.v1.customers.list({"email": "a@example.com"}).data == []
    error = refused(client.v1.payment_intents.create, intent_params(customer=customer.id))
    assert error.code == "resource_missing"
    kinds = {event["type"] for event in stand_in.events()}
    assert kinds == {"customer.created", "customer.updated", "customer.deleted"}


def test_lists_are_newest_first_and_paged_by_id(client):
    customer = client.v1.customers.create()
    made = [
        client.v1.payment_intents.create(intent_params(customer=customer.id)).id for _ in range(5)
    ]
    client.v1.payment_intents.create(intent_params())
    where = {"customer": customer.id, "limit": 2}
    first = client.v1.payment_intents.list(where)
    assert ([i.id for i in first.data], first.has_more) == (made[:2:-1], True)
    assert [i.id for i in first.auto_paging_iter()] == made[::-1]
    before = client.v1.payment_intents.list({**where, "ending_before": made[0]})
    assert [i.id for i in before.data] == [made[2], made[1]]
    later = {"customer": customer.id, "created": {"gt": first.data[0].created}}
    assert client.v1.payment_intents.list(later).data == []
    assert refused(client.v1.payment_intents.list, {"limit": 101}).param == "limit"
    assert refused(client.v1.payment_intents.list, {"starting_after": "pi_x"}).http_status == 400


def test_the_controls_answer_loopback_clients_only_unless_opened(stand_in):
    def control(client_address):
        environ = {
            "REQUEST_METHOD": "GET",
            "PATH_INFO": "/_sandbox/calls",
            "REMOTE_ADDR": client_address,
            "SERVER_NAME": "x",
            "SERVER_PORT": "80",
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(),
        }
        lines = []
        list(stand_in.app(environ, lambda status, headers: lines.append(status)))
        return lines[0][:3]

    assert [control(a) for a in ("127.0.0.1", "::1", "10.0.0.7", "")] == [
        "200",
        "200",
        "403",
        "403",
    ]
    stand_in.app.open_controls = True
    assert control("10.0.0.7") == "200"


def test_no_card_number_reaches_the_file(tmp_path):
    path = tmp_path / "stripe.sqlite3"
    details = {"number": "4000000000000077", "exp_month": 1, "exp_year": 2034, "cvc": "987"}
    with StripeSandbox(path) as stand_in:
        client = client_of(stand_in)
        client.v1.payment_methods.create({"type": "card", "card": details})
    for file in tmp_path.iterdir():
        assert b"4000000000000077" not in file.read_bytes()

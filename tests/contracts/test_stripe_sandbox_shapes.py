"""Every answer has the keys and the JSON types of Stripe's own sample objects."""

import httpx
import pytest
import stripe

from tests.contracts.stripe_fixtures import SAMPLES, intent_params, pay, refund_of, taken

pytest_plugins = ["tests.contracts.stripe_fixtures"]

CLASSES = {
    "customer": stripe.Customer,
    "payment_intent": stripe.PaymentIntent,
    "charge": stripe.Charge,
    "refund": stripe.Refund,
    "dispute": stripe.Dispute,
    "payment_method": stripe.PaymentMethod,
    "event": stripe.Event,
    "balance_transaction": stripe.BalanceTransaction,
}
CHARGE_SOURCE = (stripe.Charge, "source")
# Free-form, or a sample of something else than what a card payment has.
FREE = {"metadata", "data", "wallet", "destination_details", "discount", "fraud_details"}


def json_type(value):
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, dict):
        return "object"
    return {int: "number", float: "number", str: "string", list: "array"}[type(value)]


def differences(answer, sample, path=""):
    """Where the answer lacks a key of the sample or has another JSON type."""
    for key, expected in sample.items():
        here = f"{path}.{key}"
        if key not in answer:
            yield f"{here} is missing"
        elif answer[key] is None or expected is None:
            continue
        elif json_type(answer[key]) != json_type(expected):
            yield f"{here} is {json_type(answer[key])}, not {json_type(expected)}"
        elif isinstance(expected, dict) and key not in FREE:
            yield from differences(answer[key], expected, here)


def nullable(cls, key):
    """As stripe-python annotates it; a charge of a PaymentIntent has no `source` on Stripe."""
    annotation = str(cls.__annotations__.get(key, "Optional"))
    return "Optional" in annotation or "NoneType" in annotation or (cls, key) == CHARGE_SOURCE


def check(answer):
    kind, cls = answer["object"], CLASSES[answer["object"]]
    assert list(differences(answer, SAMPLES[kind])) == []
    nulls = {k for k, v in answer.items() if v is None and SAMPLES[kind].get(k) is not None}
    assert {k for k in nulls if not nullable(cls, k)} == set()
    known = set(cls.__annotations__) | set(SAMPLES[kind])
    assert set(answer) - known == set(), "keys that Stripe does not have"


def plain(object_):
    return object_.to_dict() if hasattr(object_, "to_dict") else object_


@pytest.fixture
def world(client):
    """One object of each kind, in the states a shop meets."""
    customer = client.v1.customers.create({"email": "a@example.com"})
    return {
        "customer": customer,
        "payment_method": client.v1.payment_methods.attach(
            "pm_card_visa", {"customer": customer.id}
        ),
        "open": client.v1.payment_intents.create(intent_params()),
        "challenged": pay(client, "pm_card_authenticationRequired"),
        "disputed": pay(client, "pm_card_createDispute"),
        "paid": pay(client, customer=customer.id, capture_method="automatic"),
        "held": pay(client, capture_method="manual"),
    }


def test_customers_payment_methods_and_intents_have_stripes_shape(world):
    for object_ in world.values():
        check(plain(object_))


def test_charges_refunds_disputes_and_balance_lines_have_stripes_shape(client, world):
    refund = refund_of(client, world["paid"], amount=300)
    charge = client.v1.charges.retrieve(world["paid"].latest_charge)
    dispute = client.v1.disputes.list({"payment_intent": world["disputed"].id}).data[0]
    line = client.v1.balance_transactions.retrieve(charge.balance_transaction)
    for object_ in (refund, charge, dispute, line):
        check(plain(object_))


def test_a_failed_charge_and_the_intent_after_a_decline_have_stripes_shape(client, stand_in):
    with pytest.raises(stripe.CardError) as caught:
        pay(client, "pm_card_visa_chargeDeclined")
    check(caught.value.json_body["error"]["payment_intent"])
    check(stand_in.charges()[0])


def test_every_event_and_the_object_inside_it_have_stripes_shape(client, stand_in, world):
    refund_of(client, world["paid"])
    stand_in.settle()
    events = taken(stand_in)
    assert len({event.type for event in events}) > 10
    for event in events:
        body = event.to_dict()
        check(body)
        check(body["data"]["object"])


def test_lists_have_stripes_envelope(client, world):
    for service in ("customers", "payment_intents", "charges", "refunds", "disputes", "events"):
        page = getattr(client.v1, service).list().to_dict()
        assert page.keys() == {"object", "data", "has_more", "url"}
        assert page["object"] == "list"
        assert page["url"] == f"/v1/{service}"


def test_a_deleted_customer_has_the_shape_of_stripes_stub(client, world):
    stub = client.v1.customers.delete(world["customer"].id).to_dict()
    assert stub.keys() == SAMPLES["deleted_customer"].keys()
    assert client.v1.customers.retrieve(world["customer"].id).deleted is True


def test_errors_have_stripes_shape(stand_in):
    answer = httpx.get(f"{stand_in.url}/v1/customers/cus_nobody", auth=("sk_test_contracts", ""))
    error = answer.json()["error"]
    assert answer.status_code == 404
    assert error.keys() == {"code", "doc_url", "message", "param", "request_log_url", "type"}
    assert answer.headers["request-id"].startswith("req_")

"""A Stripe sandbox of a test's own, and the real stripe-python pointed at it.

PYTEST_DONT_REWRITE: the tests import this module before pytest loads it as their plugin.
"""

import json
from pathlib import Path
from typing import Any

import pytest
import stripe
from stripe import StripeClient

from payments.sandbox.stripe import StripeSandbox

SAMPLES = json.loads((Path(__file__).parent / "stripe_fixtures.json").read_text())["resources"]
KEY = "sk_test_contracts"
CARD = {"allowed_payment_method_types": ["card"]}


def client_of(stand_in: StripeSandbox, key: str = KEY) -> StripeClient:
    """stripe-python without retries of its own, so that each call is one call."""
    return StripeClient(key, base_addresses={"api": stand_in.url}, max_network_retries=0)


def intent_params(**fields: Any) -> dict[str, Any]:
    return {"amount": 1000, "currency": "usd", **CARD, **fields}


def pay(client: StripeClient, method: str = "pm_card_visa", **fields: Any) -> stripe.PaymentIntent:
    """An intent created and confirmed with a test card in one call."""
    params = intent_params(payment_method=method, confirm=True, **fields)
    return client.v1.payment_intents.create(params)


def refund_of(client: StripeClient, intent: stripe.PaymentIntent, **fields: Any) -> stripe.Refund:
    return client.v1.refunds.create({"payment_intent": intent.id, **fields})


def types(events: list[dict[str, Any]]) -> list[str]:
    return [event["type"] for event in events]


def taken(stand_in: StripeSandbox, **options: Any) -> list[stripe.Event]:
    """Queued events, their signatures verified by the real library."""
    return [
        stripe.Webhook.construct_event(payload, signature, stand_in.webhook_secret)
        for payload, signature in stand_in.take_events(**options)
    ]


@pytest.fixture
def stand_in():
    with StripeSandbox(":memory:", settle_seconds=3600) as running:
        yield running


@pytest.fixture
def client(stand_in):
    return client_of(stand_in)

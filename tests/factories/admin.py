"""Staff at the Django admin. Import the fixtures by name into a test module."""

import uuid
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from payments.checkout.services import order_place
from payments.intake.models import Payment
from payments.intake.services import Capture, payment_settle
from shop.models import Order
from tests.factories.shop import ProductFactory
from tests.factories.users import SuperuserFactory, UserFactory


@pytest.fixture
def quiet_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    """Orders are placed without asking Stripe; its outbox messages wait."""
    monkeypatch.setattr("payments.stripe.port.StripeGateway.open", lambda *_: None)


@pytest.fixture
def root() -> Client:
    client = Client()
    client.force_login(SuperuserFactory())
    return client


def placed(quantity: int = 2) -> Order:
    product = ProductFactory(stock=quantity + 3)
    return order_place(
        user_id=UserFactory().pk, quantities={product.slug: quantity}, method="stripe"
    ).order


def paid(quantity: int = 2) -> Payment:
    payment = placed(quantity).payments.get()
    capture = Capture(payment.amount, payment.currency, f"pi_{payment.pk}")
    payment_settle(payment_id=payment.pk, capture=capture)
    payment.refresh_from_db()
    return payment


def pages(model: Any, name: str, *args: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{name}", args=args)


def text_of(answer: Any) -> str:
    return answer.content.decode()


def send(client: Client, url: str, **data: Any) -> Any:
    """Fill a form in and confirm it, the way its two pages do."""
    usual = {"reason": "because", "note": "because", "destination": "original"}
    filled = {"once": uuid.uuid4().hex, **usual, **data}
    asked = client.post(url, filled)
    if "This will happen" not in text_of(asked):
        return asked
    return client.post(url, {**filled, "confirmed": "yes"}, follow=True)

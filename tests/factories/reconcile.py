"""A shop that hears nothing of what happens at Stripe. Import the fixtures by name."""

import uuid
from collections.abc import Callable, Iterator
from io import StringIO
from time import time
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db.models import Model

from accounts.ledger.models import Posting
from common.outbox.models import OutboxMessage
from payments.intake.models import Dispute, Payment, PaymentEvent, Refund
from payments.sandbox.stripe import StripeSandbox
from payments.stripe import gateway
from payments.stripe.models import StripeIntent, StripeRefund
from shop.orders.models import Order
from tests.factories.orders import (
    ORDERS,
    confirm,
    get_order,
    place,
    post,
    refund,
)
from tests.factories.shop import ProductFactory

TABLES: list[type[Model]] = [
    *(Order, Payment, PaymentEvent, Refund, Dispute),
    *(StripeIntent, StripeRefund, Posting, OutboxMessage),
]


class Clock:
    """Stripe's clock; `days` in the past."""

    days = 0

    def __call__(self) -> float:
        return time() - self.days * 86400


@pytest.fixture
def stripe_clock() -> Clock:
    return Clock()


@pytest.fixture
def sandbox(settings: Any, stripe_clock: Clock) -> Iterator[StripeSandbox]:
    """One of its own for each test: money of other tests would be money without a payment."""
    with StripeSandbox(":memory:", settle_seconds=3600, clock=stripe_clock) as found:
        settings.STRIPE_API_BASE = found.url
        yield found


@pytest.fixture
def shop(api: Any, staff_api: Any, drain: Any, sandbox: StripeSandbox) -> "Shop":
    return Shop(api, staff_api, drain, sandbox)


class Shop:
    """What happens at Stripe, and how the shop hears nothing of it."""

    def __init__(self, api: Any, staff: Any, drain: Any, sandbox: StripeSandbox) -> None:
        self.api, self.staff, self.drain, self.sandbox = api, staff, drain, sandbox
        ProductFactory(slug="a", list_price=1000, stock=10)

    def placed(self) -> Any:
        return place(self.api, ("a", 1))

    def pay_in_browser(self, order: Any, card: str = "pm_card_visa") -> str:
        intent = str(order["payment"]["stripe"]["payment_intent"])
        gateway.confirm_intent(intent, payment_method=card, idempotency_key=uuid.uuid4().hex)
        return intent

    def bought(self, card: str = "pm_card_visa") -> Any:
        order = self.placed()
        assert confirm(self.api, order, card).status_code == 202
        self.drain()
        return get_order(self.api, order)

    def asked_refund(self, card: str = "pm_card_visa") -> Refund:
        order = self.bought(card)
        assert refund(self.staff, order["payment"]).status_code == 201
        return Refund.objects.get()


def run(*options: str) -> tuple[int, list[str]]:
    """The command's exit code, and its lines but for the summary."""
    out = StringIO()
    try:
        call_command("reconcile", *options, stdout=out, stderr=StringIO())
    except CommandError as error:
        return error.returncode, out.getvalue().splitlines()[:-1]
    return 0, out.getvalue().splitlines()[:-1]


def rows() -> list[Any]:
    return [list(table.objects.order_by("pk").values_list()) for table in TABLES]


# What is mended: how it comes about, and what the shop says of it before and after.


def paid(shop: Shop) -> None:
    shop.pay_in_browser(shop.placed())


def paid_and_intent_forgotten(shop: Shop) -> None:
    shop.pay_in_browser(shop.placed())
    StripeIntent.objects.all().delete()


def paid_after_cancellation(shop: Shop) -> None:
    order = shop.placed()
    assert post(shop.api, f"{ORDERS}{order['number']}/cancel/").status_code == 200
    shop.pay_in_browser(order)


def given_up(shop: Shop) -> None:
    order = shop.placed()
    assert post(shop.api, f"{ORDERS}{order['number']}/cancel/").status_code == 200


def cancelled_at_stripe(shop: Shop) -> None:
    gateway.cancel_intent(shop.placed()["payment"]["stripe"]["payment_intent"])


def under_way(shop: Shop) -> None:
    shop.pay_in_browser(shop.placed(), "pm_card_threeDSecure2Required")


def refund_decided(shop: Shop) -> None:
    shop.asked_refund("pm_card_pendingRefund")
    shop.drain()
    shop.sandbox.settle()


def refund_answer_lost(shop: Shop) -> None:
    row = shop.asked_refund()
    intent = StripeIntent.objects.get().intent_id
    gateway.create_refund(refund_uid=str(row.uid), intent_id=intent, amount=row.amount)


def refund_returned(shop: Shop) -> None:
    shop.asked_refund("pm_card_refundFail")
    shop.drain()
    shop.sandbox.settle()


def refund_at_dashboard(shop: Shop) -> None:
    shop.bought()
    intent = StripeIntent.objects.get().intent_id
    gateway.client().v1.refunds.create({"payment_intent": intent, "amount": 400})


def disputed(shop: Shop) -> None:
    shop.bought("pm_card_createDispute")


def dispute_lost(shop: Shop) -> None:
    shop.bought("pm_card_createDispute")
    assert run()[0] == 0
    (dispute,) = gateway.disputes_of(StripeIntent.objects.get().intent_id)
    shop.sandbox.close_dispute(dispute.id, "lost")


State = tuple[str, str, int, int]
OPEN: State = ("pending_payment", "awaiting", 0, 0)
CANCELLED: State = ("cancelled", "expired", 0, 0)
PAID: State = ("paid", "succeeded", 1000, 0)
GIVEN_BACK: State = ("refunded", "refunded", 1000, 1000)

MENDED: dict[Callable[[Shop], None], tuple[State, State]] = {
    paid: (OPEN, PAID),
    paid_and_intent_forgotten: (OPEN, PAID),
    paid_after_cancellation: (CANCELLED, PAID),
    given_up: (CANCELLED, CANCELLED),
    cancelled_at_stripe: (OPEN, ("pending_payment", "failed", 0, 0)),
    under_way: (OPEN, ("pending_payment", "processing", 0, 0)),
    refund_decided: (PAID, GIVEN_BACK),
    refund_answer_lost: (PAID, GIVEN_BACK),
    refund_returned: (GIVEN_BACK, GIVEN_BACK),
    refund_at_dashboard: (PAID, ("partially_refunded", "succeeded", 1000, 400)),
    disputed: (PAID, ("paid", "review", 1000, 0)),
    dispute_lost: (("paid", "review", 1000, 0), ("paid", "reversed", 1000, 0)),
}


def state() -> State:
    payment = Payment.objects.get()
    assert payment.order is not None
    return payment.order.status, payment.status, payment.captured, payment.refunded

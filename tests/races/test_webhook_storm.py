"""Events doubled, shuffled, in parallel and too early end as one in-order delivery does."""

import random
import threading
import uuid
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connections, transaction
from django.test import Client

from config import invariants
from payments.checkout.services import Placed
from payments.checkout.services import placing as checkout
from payments.intake.models import Payment
from payments.stripe import gateway
from payments.stripe.errors import Declined
from payments.stripe.models import WebhookEvent
from payments.stripe.services import intents, webhooks
from tests.factories.shop import ProductFactory
from tests.factories.users import UserFactory
from tests.sizes import PROVE, sized

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.timeout(3600 if PROVE else 900),
]

EVENTS = sized(40, 1_000)
# Each payment has three events at least.
PAYMENTS = -(-EVENTS // 3)
Event = tuple[bytes, str]


def deliver(event: Event) -> int:
    payload, signature = event
    return (
        Client()
        .post(
            "/webhooks/stripe/",
            payload,
            content_type="application/json",
            headers={"Stripe-Signature": signature},
        )
        .status_code
    )


def deliver_in_parallel(events: Sequence[Event]) -> Counter[int]:
    """Twenty at a time, each on a connection of its own; every event is worked on at once."""

    def one(event: Event) -> int:
        try:
            return deliver(event)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(20) as pool:
        return Counter(pool.map(one, events))


def work_in_parallel() -> None:
    """Every event that is not done yet, by eight workers at once, each event by two of them."""

    def one(pk: int) -> None:
        try:
            webhooks.webhook_process(event_pk=pk)
        finally:
            connections.close_all()

    waiting = list(WebhookEvent.objects.filter(state="received").values_list("pk", flat=True)) * 2
    random.shuffle(waiting)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(one, waiting))


def place(product: Any) -> Placed:
    return checkout.order_place(
        user_id=UserFactory().pk, quantities={product.slug: 1}, method="stripe"
    )


def pay_in_browser(placed: Placed, card: str) -> None:
    """What a browser does with Stripe's own script: the shop is told by events alone."""
    intent_id = placed.payment.stripe_intent.intent_id
    try:
        gateway.confirm_intent(intent_id, payment_method=card, idempotency_key=uuid.uuid4().hex)
    except Declined:
        gateway.confirm_intent(
            intent_id, payment_method="pm_card_visa", idempotency_key=uuid.uuid4().hex
        )


def paid_at_stripe(count: int) -> list[Placed]:
    """Payments, every fourth of them with a second card after a decline."""
    product = ProductFactory(stock=count)
    placed = [place(product) for _ in range(count)]
    for number, one in enumerate(placed):
        pay_in_browser(one, "pm_card_visa" if number % 4 else "pm_card_visa_chargeDeclined")
    return placed


def outcome(placed: Sequence[Placed]) -> list[tuple[Any, ...]]:
    """What became of each payment, in figures."""
    found = Payment.objects.filter(pk__in=[one.payment.pk for one in placed]).order_by("pk")
    return [
        (
            payment.status,
            payment.reason,
            payment.captured,
            payment.order.status,
            payment.events.filter(kind="captured").count(),
            payment.order.lines.get().movements.filter(kind="sold").count(),
        )
        for payment in found
    ]


def in_order(sandbox: Any, drain: Any) -> list[tuple[Any, ...]]:
    placed = paid_at_stripe(4)
    for event in sandbox.take_events():
        assert deliver(event) == 200
        drain()
    return outcome(placed)


def storm(sandbox: Any, drain: Any, count: int) -> tuple[list[tuple[Any, ...]], int]:
    """Each event one to five times, shuffled; and how many different ones there were."""
    placed = paid_at_stripe(count)
    events = sandbox.take_events()
    assert len(events) >= 3 * count
    several = [event for event in events for _ in range(random.randint(1, 5))]
    random.shuffle(several)
    assert deliver_in_parallel(several) == {200: len(several)}
    work_in_parallel()
    drain()
    return outcome(placed), len(events)


@pytest.mark.proof(
    "Webhook storm",
    size=f"{EVENTS:,} events or more, each 1-5 times, shuffled, 20 in parallel",
    control="test_control_without_the_events_key_each_delivery_is_stored",
)
def test_a_storm_of_events_ends_as_one_delivery_in_order(sandbox: Any, drain: Any) -> None:
    expected = in_order(sandbox, drain)
    assert set(expected) == {("succeeded", "", 1000, "paid", 1, 1)}
    WebhookEvent.objects.all().delete()
    ended, different = storm(sandbox, drain, PAYMENTS)
    assert (len(ended), set(ended)) == (PAYMENTS, set(expected))
    assert WebhookEvent.objects.count() == different
    assert not WebhookEvent.objects.filter(state="received").exists()
    assert invariants.breaches() == []


def test_control_without_the_events_key_each_delivery_is_stored(
    sandbox: Any, drain: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = webhooks._store
    monkeypatch.setattr(
        webhooks, "_store", lambda event: store({**event, "id": f"evt_{uuid.uuid4().hex}"})
    )
    _, different = storm(sandbox, drain, 3)
    assert WebhookEvent.objects.count() > different


def early_events(sandbox: Any, drain: Any) -> list[tuple[Any, ...]]:
    """Stripe's events arrive while the order's transaction is still open."""
    product, statuses = ProductFactory(stock=3), []
    users = [UserFactory() for _ in range(3)]

    def hear() -> None:
        try:
            statuses.extend(deliver(event) for event in sandbox.take_events())
            drain()
        finally:
            connections.close_all()

    with transaction.atomic():
        placed = [
            checkout._place(
                [checkout.Wish(user.pk, {product.slug: 1}, "stripe", None, None, "", None)]
            )[0]
            for user in users
        ]
        for one in placed:
            intent = intents._create(one.payment)
            gateway.confirm_intent(
                intent.id, payment_method="pm_card_visa", idempotency_key=uuid.uuid4().hex
            )
        listener = threading.Thread(target=hear)
        listener.start()
        listener.join(120)
    assert set(statuses) == {200}
    assert {row[3] for row in outcome(placed)} == {"pending_payment"}
    # The task that opens intents would find the money as well: events alone must do.
    events = WebhookEvent.objects.filter(state="received").values_list("pk", flat=True)
    for pk in events:
        webhooks.webhook_process(event_pk=pk)
    return outcome(placed)


@pytest.mark.proof(
    "Events before the order's commit",
    size="3 payments",
    control="test_control_without_patience_early_events_are_lost",
    runs=20,
)
def test_events_that_come_before_the_orders_commit_wait_for_it(sandbox: Any, drain: Any) -> None:
    assert early_events(sandbox, drain) == [("succeeded", "", 1000, "paid", 1, 1)] * 3
    assert invariants.breaches() == []


def test_control_without_patience_early_events_are_lost(
    sandbox: Any, drain: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "PATIENCE", webhooks.PATIENCE * 0)
    assert {row[3] for row in early_events(sandbox, drain)} == {"pending_payment"}

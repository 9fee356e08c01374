"""Webhook, confirm call and poll meet at one payment; refunds meet at another."""

import random
import time
from collections import Counter
from functools import partial
from typing import Any

import pytest
from django.db import IntegrityError
from django.test import Client

from config import invariants
from payments.checkout import services as checkout
from payments.checkout.services import Placed
from payments.intake import services as machine
from payments.intake.errors import RefundExceedsCaptured
from payments.intake.models import Payment, PaymentEvent, Refund
from payments.intake.services import refunds as refunding
from payments.intake.services import settle
from payments.stripe import gateway
from payments.stripe import services as stripe_services
from payments.stripe.models import WebhookEvent
from shop.inventory.models import StockMovement
from shop.models import Order
from shop.orders import services as orders
from tests.factories.users import client_for
from tests.races.parallel import (
    capture_of,
    in_parallel,
    order_of_one,
    paid_order,
    quiet,
    remove_payment_lock,
)

pytestmark = pytest.mark.django_db(transaction=True)

PARALLEL = 20


def errors(results: list[Any]) -> list[Exception]:
    return [result for result in results if isinstance(result, Exception)]


def confirm(placed: Placed) -> Any:
    client = quiet(client_for(placed.order.user))
    path = f"/api/v1/payments/{placed.payment.uid}/confirm/"
    return client.post(path, {"payment_method": "pm_card_visa"}, format="json")


def settle_at_once(placed: Placed, sandbox: Any) -> list[Any]:
    """Confirm calls, webhooks as they come, and polls, 20 in all, until the money is there."""
    until = time.monotonic() + 10

    def paid() -> bool:
        late = time.monotonic() > until
        return late or Payment.objects.get(pk=placed.payment.pk).captured > 0

    def hear() -> None:
        while not paid():
            for payload, signature in sandbox.take_events():
                answer = Client().post(
                    "/webhooks/stripe/",
                    payload,
                    content_type="application/json",
                    headers={"Stripe-Signature": signature},
                )
                assert answer.status_code == 200
            for pk in WebhookEvent.objects.filter(state="received").values_list("pk", flat=True):
                stripe_services.webhook_process(event_pk=pk)

    def poll() -> None:
        while not paid():
            stripe_services.intent_sync(payment_id=placed.payment.pk)

    calls = [lambda: confirm(placed).status_code] * 6 + [hear] * 7 + [poll] * 7
    return in_parallel(calls)


def sold(placed: Placed) -> int:
    line = placed.order.lines.get()
    return StockMovement.objects.filter(order_line=line, kind="sold").count()


def captures(placed: Placed) -> int:
    return placed.payment.events.filter(kind="captured").count()


@pytest.mark.proof(
    "Webhook, confirm and poll of one payment",
    size="20 in parallel, 3 rounds",
    control="test_control_without_lock_and_unique_key_money_counts_twice",
    runs=20,
)
def test_webhook_confirm_and_poll_settle_a_payment_once(sandbox: Any, drain: Any) -> None:
    for _ in range(3):
        placed = order_of_one()
        results = settle_at_once(placed, sandbox)
        assert errors(results) == []
        assert Counter(results[:6]) == {202: 1, 409: 5}
        drain()
        placed.payment.refresh_from_db()
        placed.order.refresh_from_db()
        assert (placed.payment.status, placed.payment.captured) == ("succeeded", 1000)
        assert (placed.order.status, captures(placed), sold(placed)) == ("paid", 1, 1)
        assert placed.payment.reason == ""
        assert len(sandbox.charges(placed.payment.stripe_intent.intent_id)) == 1
        assert invariants.breaches() == []


def twenty_captures(monkeypatch: pytest.MonkeyPatch) -> tuple[Placed, list[Any]]:
    """Twenty callers bring the same capture; each pauses between its look and its write."""
    record = settle.record

    def slowly(*args: Any, **kwargs: Any) -> None:
        time.sleep(0.02)
        record(*args, **kwargs)

    placed = order_of_one()
    monkeypatch.setattr(settle, "record", slowly)
    capture = capture_of(placed.payment)
    return placed, in_parallel(
        [lambda: machine.payment_settle(payment_id=placed.payment.pk, capture=capture)] * PARALLEL
    )


@pytest.mark.proof(
    "One capture told by many",
    size=f"{PARALLEL} in parallel",
    control="test_control_without_lock_and_unique_key_money_counts_twice",
    runs=20,
)
@pytest.mark.usefixtures("no_stripe")
def test_one_of_twenty_captures_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    placed, results = twenty_captures(monkeypatch)
    assert Counter(results) == {True: 1, False: PARALLEL - 1}
    assert (captures(placed), sold(placed)) == (1, 1)
    assert invariants.breaches() == []


@pytest.mark.usefixtures("no_stripe")
def test_control_without_the_lock_callers_meet_the_unique_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The backstop holds the money together; the callers see it as errors."""
    remove_payment_lock(monkeypatch)
    placed, results = twenty_captures(monkeypatch)
    assert any(isinstance(error, IntegrityError) for error in errors(results))
    assert captures(placed) == 1
    assert invariants.breaches() == []


@pytest.mark.usefixtures("no_stripe")
def test_control_without_lock_and_unique_key_money_counts_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    create = PaymentEvent.objects.create
    monkeypatch.setattr(
        PaymentEvent.objects, "create", lambda **fields: create(**{**fields, "once": None})
    )
    remove_payment_lock(monkeypatch)
    placed, results = twenty_captures(monkeypatch)
    assert results.count(True) > 1
    assert captures(placed) > 1
    assert any(line.startswith("4 payment") for line in invariants.breaches())


def twenty_refunds(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Staff asks twenty times at once for 60 % of one payment."""
    placed = paid_order()
    check = refunding._check_fits

    def slowly(*args: Any) -> None:
        check(*args)
        time.sleep(0.02)

    monkeypatch.setattr(refunding, "_check_fits", slowly)

    def refund() -> Refund:
        return machine.refund_request(
            payment_id=placed.payment.pk,
            amount=600,
            lines={},
            restock=False,
            reason="sixty percent",
            actor_id=None,
        )

    return in_parallel([refund] * PARALLEL)


@pytest.mark.proof(
    "Refunds of 60 %",
    size=f"{PARALLEL} in parallel",
    control="test_control_without_the_payment_lock_several_refunds_are_taken",
    runs=20,
)
@pytest.mark.usefixtures("no_stripe")
def test_one_of_twenty_refunds_of_sixty_percent_is_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    results = twenty_refunds(monkeypatch)
    kinds = Counter(type(result) for result in results)
    assert kinds == {Refund: 1, RefundExceedsCaptured: PARALLEL - 1}
    assert Payment.objects.get().refund_pending == 600
    assert invariants.breaches() == []


@pytest.mark.usefixtures("no_stripe")
def test_control_without_the_payment_lock_several_refunds_are_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    remove_payment_lock(monkeypatch)
    twenty_refunds(monkeypatch)
    assert Refund.objects.count() > 1
    assert any("reserved" in line for line in invariants.breaches())


def two_confirms(sandbox: Any, monkeypatch: pytest.MonkeyPatch) -> tuple[Placed, list[Any]]:
    """One card is confirmed twice at once, while Stripe is slow."""
    placed = order_of_one()
    ask = gateway.confirm_intent

    def slowly(*args: Any, **kwargs: Any) -> Any:
        time.sleep(0.2)
        return ask(*args, **kwargs)

    monkeypatch.setattr(gateway, "confirm_intent", slowly)
    answers = in_parallel([lambda: confirm(placed)] * 2)
    assert errors(answers) == []
    return placed, answers


@pytest.mark.proof(
    "Two confirmations of one payment",
    size="2 in parallel",
    control="test_control_without_the_payment_lock_the_second_confirm_is_an_error",
    runs=20,
)
def test_two_confirms_at_once_charge_once(
    sandbox: Any, drain: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    placed, answers = two_confirms(sandbox, monkeypatch)
    assert sorted(answer.status_code for answer in answers) == [202, 409]
    drain(later=True)
    assert len(sandbox.charges(placed.payment.stripe_intent.intent_id)) == 1
    assert Order.objects.get().status == "paid"
    assert invariants.breaches() == []


def test_control_without_the_payment_lock_the_second_confirm_is_an_error(
    sandbox: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """UNIQUE(open_for) and Stripe's own key still keep it to one charge."""
    remove_payment_lock(monkeypatch)
    count = 0
    for _ in range(10):
        placed, answers = two_confirms(sandbox, monkeypatch)
        assert len(sandbox.charges(placed.payment.stripe_intent.intent_id)) == 1
        count += any(answer.status_code == 500 for answer in answers)
        if count:
            return
    pytest.fail("two confirms without a lock never met")


def seconds_of_a_cancel() -> float:
    """What a call over HTTP takes here and now."""
    placed = order_of_one()
    started = time.monotonic()
    cancel(placed)
    return time.monotonic() - started


def cancel(placed: Placed) -> bool:
    url = f"/api/v1/orders/{placed.order.number}/cancel/"
    return bool(quiet(client_for(placed.order.user)).post(url).status_code == 200)


def pay_cancel_expire(first: int = 0, wait: float = 0.05) -> tuple[Placed, dict[str, bool]]:
    """The customer confirms and cancels while the sweep finds the order overdue; who won.

    All but the call of number `first` are kept waiting, `wait` seconds at most.
    """
    placed = order_of_one()
    Order.objects.filter(pk=placed.order.pk).update(expires_at=placed.order.placed_at)

    def soon(number: int, call: Any) -> Any:
        # The shortest call would win every round that starts even.
        time.sleep(random.uniform(0, wait) if number != first else 0)
        return call()

    calls = (
        lambda: confirm(placed).status_code == 202,
        lambda: cancel(placed),
        lambda: checkout.order_expire(order_id=placed.order.pk),
    )
    results = in_parallel([partial(soon, *each) for each in enumerate(calls)])
    assert errors(results) == []
    return placed, dict(zip(("paid", "cancelled", "expired"), results, strict=True))


@pytest.mark.proof(
    "Pay, cancel and expire",
    size="3 in parallel, 20 rounds",
    control="test_control_without_locks_two_of_them_win",
    runs=20,
)
def test_exactly_one_of_pay_cancel_and_expire_wins(sandbox: Any, drain: Any) -> None:
    winners: Counter[str] = Counter()
    wait = 2 * seconds_of_a_cancel()
    for each in range(20):
        placed, won = pay_cancel_expire(each % 3, wait)
        assert sum(won.values()) == 1, won
        drain(later=True)
        placed.order.refresh_from_db()
        assert won[placed.order.status]
        winners[placed.order.status] += 1
        stock = placed.order.lines.get().product.stock
        assert (stock.on_hand, stock.held) == ((0, 0) if won["paid"] else (1, 0))
        intent = placed.payment.stripe_intent.intent_id
        assert len(sandbox.charges(intent)) == int(won["paid"])
    assert len(winners) > 1, winners
    assert invariants.breaches() == []


def test_control_without_locks_two_of_them_win(
    sandbox: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    change = orders._move

    def slowly(*args: Any, **kwargs: Any) -> None:
        time.sleep(0.05)
        change(*args, **kwargs)

    monkeypatch.setattr(orders, "_move", slowly)
    remove_payment_lock(monkeypatch)
    assert any(sum(pay_cancel_expire()[1].values()) > 1 for _ in range(20))

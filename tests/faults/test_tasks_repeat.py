"""Every task's body once, twice, twice in parallel and an hour late ends the same.

Crashes between a provider's answer and our commit are exceptions here: the same points as in
`test_kills.py`, without the seconds that real processes take.
"""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from celery import current_app
from django.db.models import F

from common.outbox import services as outbox
from common.outbox.errors import TryLater
from config import invariants
from payments.checkout import services as checkout
from payments.checkout.services import Placed
from payments.intake import services as machine
from payments.intake.models import Payment, Refund
from payments.stripe import gateway
from payments.stripe import services as stripe_services
from payments.stripe.models import StripeAttempt, StripeIntent, StripeRefund
from shop.models import Order, Stock
from tests.races.parallel import in_parallel, order_of_one

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "send", lambda *args: None)


def confirmed() -> Placed:
    placed = order_of_one()
    stripe_services.payment_confirm(payment_id=placed.payment.pk, payment_method="pm_card_visa")
    return placed


def paid() -> Placed:
    placed = confirmed()
    stripe_services.intent_sync(payment_id=placed.payment.pk)
    return placed


def ask_refund(placed: Placed) -> Refund:
    return machine.refund_request(
        payment_id=placed.payment.pk,
        amount=600,
        lines={},
        restock=False,
        reason="a test",
        actor_id=None,
    )


# Each makes a world, and gives the task's name, its payload and the order it is about.
Message = tuple[str, dict[str, int], Placed]


def open_intent() -> Message:
    placed = order_of_one()
    StripeIntent.objects.filter(payment=placed.payment).delete()
    return "payments.stripe.open_intent", {"payment_id": placed.payment.pk}, placed


def cancel_intent() -> Message:
    placed = order_of_one()
    checkout.order_cancel(order_id=placed.order.pk, actor_id=placed.order.user_id)
    return "payments.stripe.cancel_intent", {"payment_id": placed.payment.pk}, placed


def sync_intent() -> Message:
    placed = confirmed()
    return "payments.stripe.sync_intent", {"payment_id": placed.payment.pk}, placed


def resolve_attempt() -> Message:
    """A confirm call that died before it asked."""
    placed = order_of_one()
    stripe_services.confirm._start(placed.payment.pk, "pm_card_visa")
    return "payments.stripe.resolve_attempt", {"payment_id": placed.payment.pk}, placed


def send_refund() -> Message:
    placed = paid()
    return "payments.stripe.send_refund", {"refund_id": ask_refund(placed).pk}, placed


def sync_refund() -> Message:
    """Stripe has paid back; the process that asked died before it wrote more than the id."""
    placed = paid()
    refund = ask_refund(placed)
    intent = StripeIntent.objects.get(payment=placed.payment)
    answer = gateway.create_refund(
        refund_uid=str(refund.uid), intent_id=intent.intent_id, amount=refund.amount
    )
    StripeRefund.objects.create(refund=refund, stripe_id=answer.id)
    return "payments.stripe.sync_refund", {"refund_id": refund.pk}, placed


def expire_overdue() -> Message:
    placed = order_of_one()
    Order.objects.filter(pk=placed.order.pk).update(expires_at=F("placed_at"))
    return "payments.checkout.expire_overdue", {}, placed


BODIES = [
    open_intent,
    cancel_intent,
    sync_intent,
    resolve_attempt,
    send_refund,
    sync_refund,
    expire_overdue,
]


def run(task: str, payload: dict[str, int]) -> None:
    try:
        current_app.tasks[task](**payload)
    except TryLater:
        # A parallel call of the same key at Stripe: the outbox tries again.
        current_app.tasks[task](**payload)


def state(placed: Placed, sandbox: Any) -> tuple[Any, ...]:
    """Everything of an order that one more run could change."""
    payment = Payment.objects.get(pk=placed.payment.pk)
    order = Order.objects.get(pk=placed.order.pk)
    stock = Stock.objects.get(product__order_lines__order=order)
    intent = payment.stripe_intent.intent_id
    return (
        (payment.status, payment.captured, payment.refunded, payment.refund_pending),
        (order.status, order.refunded, order.deadline_suspended),
        (stock.on_hand, stock.held),
        sorted(payment.events.values_list("kind", flat=True)),
        order.events.count(),
        len(sandbox.charges(intent)),
        len(sandbox.refunds(intent)),
    )


def ended(sandbox: Any, prepare: Callable[[], Message], how: str, drain: Any) -> tuple[Any, ...]:
    task, payload, placed = prepare()
    for _ in range({"once": 1, "twice": 2}.get(how, 0)):
        run(task, payload)
    if how == "parallel":
        results = in_parallel([lambda: run(task, payload)] * 2)
        errors = [r for r in results if isinstance(r, Exception) and not isinstance(r, TryLater)]
        assert errors == []
    drain(later=True)
    if how == "late":
        # Everything else has been done long ago, and the message comes again.
        run(task, payload)
        drain(later=True)
    assert invariants.breaches() == []
    return state(placed, sandbox)


@pytest.mark.parametrize("prepare", BODIES, ids=lambda body: body.__name__)
def test_a_tasks_body_again_changes_nothing(
    sandbox: Any, drain: Any, prepare: Callable[[], Message]
) -> None:
    once = ended(sandbox, prepare, "once", drain)
    for how in ("twice", "parallel", "late"):
        assert (how, ended(sandbox, prepare, how, drain)) == (how, once)


class Crash(BaseException):
    """What no `except Exception` catches, like a kill."""


def crash_after_refund(monkeypatch: pytest.MonkeyPatch, refund: Refund) -> None:
    """Stripe pays back, and the process is gone before it can write that down."""
    create = gateway.create_refund

    def then_crash(**kwargs: Any) -> Any:
        create(**kwargs)
        raise Crash

    with monkeypatch.context() as patch:
        patch.setattr(gateway, "create_refund", then_crash)
        with pytest.raises(Crash):
            stripe_services.refund_send(refund_id=refund.pk)


def test_a_refund_asked_again_after_a_crash_is_one_refund(
    sandbox: Any, drain: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = len(sandbox.refunds())
    placed = paid()
    refund = ask_refund(placed)
    crash_after_refund(monkeypatch, refund)
    drain(later=True)
    assert len(sandbox.refunds()) == before + 1
    assert Payment.objects.get().refunded == 600
    assert invariants.breaches() == []


def test_control_without_our_idempotency_key_a_crash_pays_back_twice(
    sandbox: Any, drain: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = len(sandbox.refunds())
    placed = paid()
    refund = machine.refund_request(
        payment_id=placed.payment.pk,
        amount=400,
        lines={},
        restock=False,
        reason="a test",
        actor_id=None,
    )
    create = gateway.create_refund
    monkeypatch.setattr(
        gateway, "create_refund", lambda **kw: create(**{**kw, "refund_uid": uuid.uuid4().hex})
    )
    crash_after_refund(monkeypatch, refund)
    drain(later=True)
    assert len(sandbox.refunds()) == before + 2


def test_a_late_resolve_leaves_the_next_attempt_alone(
    sandbox: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The task of a first, declined card meets the second card's attempt under way."""
    placed = order_of_one()
    first = stripe_services.confirm._start(placed.payment.pk, "pm_card_visa_chargeDeclined")
    retrieve = gateway.retrieve_intent

    def meanwhile(intent_id: str) -> Any:
        """While the task asks about the first card, it is declined and a second is tried."""
        found = retrieve(intent_id)
        with pytest.raises(gateway.Declined):
            stripe_services.confirm._ask(first)
        stripe_services.confirm._start(placed.payment.pk, "pm_card_visa")
        return found

    with monkeypatch.context() as patch:
        patch.setattr(gateway, "retrieve_intent", meanwhile)
        stripe_services.attempt_resolve(payment_id=placed.payment.pk)
    states = StripeAttempt.objects.order_by("number").values_list("state", flat=True)
    assert list(states) == ["declined", "asked"]
    assert Order.objects.get().deadline_suspended

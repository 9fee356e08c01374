"""Reconciliation by several workers at once ends as by one."""

import time
import uuid
from datetime import timedelta
from typing import Any

import pytest

from common import clock
from config import invariants
from payments.checkout.services import Placed
from payments.intake.models import Payment, Refund
from payments.stripe import gateway, selectors, services
from payments.stripe.models import StripeIntent
from payments.stripe.services.reconcile import Report
from tests.races.parallel import in_parallel, order_of_one, remove_payment_lock

pytestmark = pytest.mark.django_db(transaction=True)

PARALLEL = 4
# Without the lock the workers may still come one after the other.
TRIES = 5


def paid_at_stripe() -> Placed:
    placed = order_of_one()
    gateway.confirm_intent(
        StripeIntent.objects.get(payment=placed.payment).intent_id,
        payment_method="pm_card_visa",
        idempotency_key=uuid.uuid4().hex,
    )
    return placed


def refunded_at_stripe() -> Placed:
    placed = paid_at_stripe()
    services.intent_sync(payment_id=placed.payment.pk)
    intent = StripeIntent.objects.get(payment=placed.payment).intent_id
    gateway.client().v1.refunds.create({"payment_intent": intent, "amount": 400})
    return placed


def at_once() -> tuple[list[Placed], list[Any]]:
    """What was missed, and what became of each of the runs."""
    missed = [paid_at_stripe() for _ in range(3)] + [refunded_at_stripe() for _ in range(3)]
    return missed, in_parallel([reconciled] * PARALLEL)


def reconciled() -> Report:
    return services.payments_reconcile(since=clock.now() - timedelta(minutes=5))


def outcome(missed: list[Placed]) -> list[tuple[Any, ...]]:
    found = Payment.objects.filter(pk__in=[one.payment.pk for one in missed]).order_by("pk")
    return [
        (
            payment.status,
            payment.captured,
            payment.refunded,
            payment.refunds.count(),
            payment.events.filter(kind="captured").count(),
        )
        for payment in found
    ]


@pytest.mark.proof(
    "Reconciliation by several at once",
    size=f"{PARALLEL} workers, 6 payments",
    control="test_control_without_the_payments_lock_they_get_in_each_others_way",
    runs=20,
)
def test_several_at_once_mend_everything_once(sandbox: Any) -> None:
    missed, results = at_once()
    assert [type(result) for result in results] == [Report] * PARALLEL
    assert (
        outcome(missed) == [("succeeded", 1000, 0, 0, 1)] * 3 + [("succeeded", 1000, 400, 1, 1)] * 3
    )
    assert reconciled().mended == 0
    assert invariants.breaches() == []


def test_control_without_the_payments_lock_they_get_in_each_others_way(
    sandbox: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    remove_payment_lock(monkeypatch)
    look = selectors.refund_by_stripe_id

    def slowly(stripe_id: str) -> int | None:
        found = look(stripe_id)
        time.sleep(0.2)
        return found

    monkeypatch.setattr(selectors, "refund_by_stripe_id", slowly)
    assert any(got_in_each_others_way(*at_once()) for _ in range(TRIES))


def got_in_each_others_way(missed: list[Placed], results: list[Any]) -> bool:
    adopted = Refund.objects.filter(payment__in=[one.payment for one in missed])
    failed = [result for result in results if isinstance(result, Exception)]
    return bool(failed) or adopted.count() > 3

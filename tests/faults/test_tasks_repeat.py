"""Every task's body once, twice, twice in parallel and an hour late ends the same.

Crashes between a provider's answer and our commit are exceptions here: the same points as in
`test_kills.py`, without the seconds that real processes take.
"""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import pytest
from celery import current_app, shared_task
from django.core.cache import cache
from django.db import connection

from accounts.credentials import services as credentials
from common.outbox import services as outbox
from common.outbox.errors import TryLater
from config import invariants
from payments.chain import gateway as chain
from payments.exports import rules as exports
from payments.intake import services as machine
from payments.intake.models import Payment, Refund
from payments.notices import services as notices
from payments.stripe import gateway
from payments.stripe import services as stripe_services
from payments.stripe.errors import Declined
from payments.stripe.models import StripeAttempt
from payments.stripe.services import intents
from shop.models import Order
from tests.factories.chain import in_process
from tests.faults.task_cases import CASES, Case, ask_refund, paid, registered
from tests.races.parallel import in_parallel, order_of_one

pytestmark = pytest.mark.django_db(transaction=True)

HOUR = 3600


@pytest.fixture(autouse=True)
def _no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "send", lambda *args: None)


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "PIECE_ROWS", 2)


@pytest.fixture(autouse=True)
def _chain_in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing listens at CHAIN_RPC_URL here."""
    monkeypatch.setattr(chain, "_post", lambda body: in_process(body)[1])


def run(task: str, case: Case) -> None:
    try:
        current_app.tasks[task](**case.payload)
    except TryLater:
        # A parallel call is at it: the outbox tries again.
        current_app.tasks[task](**case.payload)


@contextmanager
def an_hour_later() -> Iterator[None]:
    """The database's clock, which decides every deadline, is ahead on this connection."""
    with connection.cursor() as cursor:
        cursor.execute("SET SESSION timestamp = UNIX_TIMESTAMP(NOW(6)) + %s", [HOUR])
        try:
            yield
        finally:
            cursor.execute("SET SESSION timestamp = DEFAULT")


def parallel(task: str, case: Case) -> None:
    results = in_parallel([lambda: run(task, case)] * 2)
    errors = [r for r in results if isinstance(r, Exception) and not isinstance(r, TryLater)]
    assert errors == []


def ended(sandbox: Any, task: str, how: str, drain: Any) -> Any:
    """The state after one way to run a task, with all that it has asked for done as well."""
    # Whose turn it is, and who was mailed a moment ago, is of the world before.
    cache.clear()
    case = CASES[task](sandbox)
    if how == "late":
        with an_hour_later():
            run(task, case)
    elif how == "parallel":
        parallel(task, case)
    else:
        for _ in range(2 if how == "twice" else 1):
            run(task, case)
    drain(later=True)
    if how == "again":
        # Everything else has been done long ago, and the message comes again.
        run(task, case)
        drain(later=True)
    assert invariants.breaches() == []
    return case.state()


@pytest.mark.proof(
    "Tasks twice, in parallel, late",
    size=f"{len(CASES)} tasks, 5 ways",
    control="test_control_a_capture_that_is_not_recognised_counts_twice",
)
@pytest.mark.parametrize("task", registered())
def test_a_tasks_body_again_or_late_changes_nothing(sandbox: Any, drain: Any, task: str) -> None:
    assert task in CASES, f"{task} needs a case in task_cases.py"
    once = ended(sandbox, task, "once", drain)
    for how in ("twice", "parallel", "late", "again"):
        assert (how, ended(sandbox, task, how, drain)) == (how, once)


def test_every_case_is_of_a_task_that_exists() -> None:
    assert set(CASES) <= set(registered())


def test_control_a_new_task_without_a_case_is_found() -> None:
    def body() -> None: ...

    body.__module__ = "payments.stripe.tasks"
    task = shared_task(name="payments.stripe.forgotten")(body)
    try:
        assert task.name in registered()
        assert task.name not in CASES
    finally:
        current_app.tasks.unregister(task.name)


def test_control_a_capture_that_is_not_recognised_counts_twice(
    sandbox: Any, drain: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the look at its reference, the second run takes the money for more of it."""
    capture = intents.Capture

    def another(amount: int, currency: str, reference: str) -> Any:
        return capture(amount, currency, f"{reference}-{uuid.uuid4().hex}")

    task = "payments.stripe.sync_intent"
    once = ended(sandbox, task, "once", drain)
    monkeypatch.setattr(intents, "Capture", another)
    assert ended(sandbox, task, "twice", drain) != once


def test_control_a_mail_that_nobody_claims_goes_twice(
    sandbox: Any, drain: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = "payments.notices.send"
    once = ended(sandbox, task, "once", drain)
    monkeypatch.setattr(notices, "_claim", lambda event_id: True)
    assert (once, ended(sandbox, task, "twice", drain)) == (1, 3)


def test_control_a_link_that_two_workers_send_at_once_goes_twice(
    sandbox: Any, drain: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(credentials.store, "sending", lambda *args: nullcontext())
    assert ended(sandbox, "accounts.credentials.send_reset", "parallel", drain) == 2


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
        with pytest.raises(Declined):
            stripe_services.confirm._ask(first)
        stripe_services.confirm._start(placed.payment.pk, "pm_card_visa")
        return found

    with monkeypatch.context() as patch:
        patch.setattr(gateway, "retrieve_intent", meanwhile)
        stripe_services.attempt_resolve(payment_id=placed.payment.pk)
    states = StripeAttempt.objects.order_by("number").values_list("state", flat=True)
    assert list(states) == ["declined", "asked"]
    assert Order.objects.get().deadline_suspended

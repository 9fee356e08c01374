"""One worker at a time for each message: the lease, and what two do without it."""

import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from celery import current_app
from django.db.models import F
from django.db.models.functions import Now

from common.outbox import services as outbox
from common.outbox.models import OutboxMessage
from payments.stripe import services as stripe_services
from tests.races.parallel import in_parallel

pytestmark = pytest.mark.django_db(transaction=True)

TASK = "payments.stripe.sync_intent"
Runs = list[int]


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> Runs:
    """Which payment each run of the body was about; a run takes a while."""
    done: Runs = []

    def body(*, payment_id: int) -> None:
        done.append(payment_id)
        time.sleep(0.1)

    monkeypatch.setattr(stripe_services, "intent_sync", body)
    return done


def message(**more: Any) -> OutboxMessage:
    return OutboxMessage.objects.create(task=TASK, payload={"payment_id": 7}, **more)


def worker(row: OutboxMessage) -> Callable[[], Any]:
    return lambda: current_app.tasks[TASK](**row.payload, outbox_id=row.pk)


def claim_without_lease(message_id: int) -> OutboxMessage | None:
    """Done ones are left alone still; that somebody has it right now is not looked at."""
    return OutboxMessage.objects.filter(pk=message_id, done_at=None).first()


def claim_without_done(message_id: int) -> OutboxMessage | None:
    OutboxMessage.objects.filter(pk=message_id).update(next_attempt_at=Now() + outbox.LEASE)
    return OutboxMessage.objects.get(pk=message_id)


@pytest.mark.proof(
    "One task, many workers",
    size="8 in parallel",
    control="test_control_without_the_lease_workers_run_it_together",
    runs=20,
)
def test_a_message_given_to_eight_workers_runs_once(runs: Runs) -> None:
    row = message()
    assert in_parallel([worker(row)] * 8) == [None] * 8
    assert runs == [7]
    row.refresh_from_db()
    assert (row.attempts, row.done_at is None) == (1, False)


def test_control_without_the_lease_workers_run_it_together(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "claim", claim_without_lease)
    in_parallel([worker(message())] * 8)
    assert len(runs) > 1


@pytest.mark.proof(
    "A task that is done comes again",
    size="twice",
    control="test_control_without_the_look_at_done_it_runs_again",
)
def test_a_message_that_comes_again_when_it_is_done_is_left_alone(runs: Runs) -> None:
    row = message()
    worker(row)()
    OutboxMessage.objects.update(next_attempt_at=Now())
    worker(row)()
    assert runs == [7]


def test_control_without_the_look_at_done_it_runs_again(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "claim", claim_without_done)
    row = message()
    worker(row)()
    worker(row)()
    assert runs == [7, 7]


def test_a_message_whose_worker_died_is_leased_again_after_its_time() -> None:
    row = message()
    assert outbox.claim(row.pk) is not None
    assert outbox.claim(row.pk) is None
    OutboxMessage.objects.update(
        next_attempt_at=F("next_attempt_at") - outbox.LEASE - timedelta(seconds=1)
    )
    again = outbox.claim(row.pk)
    assert again is not None
    assert (again.attempts, again.payload) == (2, {"payment_id": 7})


def test_one_of_twenty_workers_gets_a_message() -> None:
    row = message()
    claims = in_parallel([lambda: outbox.claim(row.pk)] * 20)
    assert Counter(claim is not None for claim in claims) == {True: 1, False: 19}

"""Work after a commit: kept until it is done, whatever happens to broker and worker."""

from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from celery import current_app, shared_task
from django.db import transaction
from django.db.models.functions import Now

from common import clock
from common.cleanup import BATCH, delete_in_batches
from common.db import after_commit
from common.outbox import broker, services
from common.outbox.errors import TryLater
from common.outbox.models import OutboxMessage
from common.outbox.selectors import overdue
from common.outbox.tasks import OutboxTask

pytestmark = pytest.mark.django_db
CALLS: list[str] = []


@shared_task(base=OutboxTask, name="tests.outbox.work")
def work(how: str = "well") -> str:
    CALLS.append(how)
    if how == "later":
        raise TryLater
    if how == "badly":
        raise ZeroDivisionError
    return how


@pytest.fixture(autouse=True)
def _no_calls() -> None:
    CALLS.clear()


def message(how: str = "well", **kwargs: Any) -> OutboxMessage:
    return services.enqueue("tests.outbox.work", how=how, **kwargs)


def run(row: OutboxMessage) -> Any:
    return current_app.tasks[row.task](**row.payload, outbox_id=row.pk)


def test_a_message_is_done_when_its_task_has_finished_and_runs_no_more() -> None:
    row = message()
    assert run(row) == "well"
    assert run(row) is None
    assert CALLS == ["well"]
    row.refresh_from_db()
    assert row.done_at
    assert row.attempts == 1


def test_a_message_leased_to_one_worker_is_not_run_by_another() -> None:
    row = message()
    assert services.claim(row.pk) is not None
    assert run(row) is None
    assert CALLS == []
    OutboxMessage.objects.update(next_attempt_at=Now() - timedelta(seconds=1))
    assert run(row) == "well"


def test_a_task_that_is_not_ready_backs_off_quietly_and_a_bug_loudly() -> None:
    for how in ("later", "badly"):
        row = message(how)
        if how == "badly":
            with pytest.raises(ZeroDivisionError):
                run(row)
        else:
            run(row)
        row.refresh_from_db()
        assert row.done_at is None
        assert row.sent_at is None
        assert row.last_error in ("TryLater", "ZeroDivisionError")
        assert services.claim(row.pk) is None


def test_back_off_doubles_and_ends_at_five_minutes() -> None:
    row = message()
    for attempts, most in ((1, 1), (4, 8), (40, 300)):
        row.attempts = attempts
        services.postpone(row, TryLater())
        late = OutboxMessage.objects.filter(
            pk=row.pk,
            next_attempt_at__gt=Now() + timedelta(seconds=most - 2),
            next_attempt_at__lte=Now() + timedelta(seconds=most),
        )
        assert late.exists()


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    found: list[int] = []
    monkeypatch.setattr(work, "apply_async", lambda kwargs, **_: found.append(kwargs["outbox_id"]))
    return found


def test_the_sweep_sends_what_is_due_and_what_the_broker_lost(sent: list[int]) -> None:
    fresh, delayed = message(), message(delay=60)
    assert services.sweep() == 0
    OutboxMessage.objects.filter(pk=fresh.pk).update(sent_at=Now() - timedelta(seconds=11))
    OutboxMessage.objects.filter(pk=delayed.pk).update(next_attempt_at=Now())
    assert services.sweep() == 2
    assert set(sent) == {fresh.pk, delayed.pk}
    assert services.sweep() == 0


@pytest.fixture
def waiting(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """What the broker says of its queues."""
    found: dict[str, int] = {}
    monkeypatch.setattr(broker, "lengths", lambda queues: found)
    return found


def test_what_waits_in_a_long_queue_is_not_sent_again(
    sent: list[int], waiting: dict[str, int]
) -> None:
    """Copies every few seconds of all that waits would only make it longer."""
    row, new = message(), message(delay=1)
    OutboxMessage.objects.update(next_attempt_at=Now())
    OutboxMessage.objects.filter(pk=row.pk).update(sent_at=Now() - timedelta(seconds=60))
    waiting["background"] = services.BACKED_UP + 1
    assert services.sweep() == 1
    assert sent == [new.pk]
    # Whatever is long, it is another queue's business.
    waiting["background"], waiting["payments"] = 0, services.BACKED_UP + 1
    assert services.sweep() == 1
    assert sent == [new.pk, row.pk]


def test_what_is_lost_behind_a_long_queue_is_sent_again_in_the_end(
    sent: list[int], waiting: dict[str, int]
) -> None:
    row = message()
    waiting["background"] = services.BACKED_UP + 1
    OutboxMessage.objects.update(sent_at=Now() - services.RESEND_LATEST)
    assert services.sweep() == 1
    assert sent == [row.pk]


def test_a_broker_that_is_away_has_no_lengths(monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> None:
        raise ConnectionRefusedError

    assert broker.lengths(["mail"]).keys() == {"mail"}
    monkeypatch.setattr(current_app, "connection_for_read", away)
    assert broker.lengths(["mail"]) == {}


def test_a_task_that_nobody_knows_does_not_hold_up_those_behind_it(sent: list[int]) -> None:
    unknown = services.enqueue("tests.outbox.of_a_newer_release", delay=1)
    row = message(delay=1)
    OutboxMessage.objects.update(next_attempt_at=Now())
    assert services.sweep() == 2
    assert sent == [row.pk]
    assert OutboxMessage.objects.get(pk=unknown.pk).done_at is None


def test_a_broker_that_is_down_is_left_to_the_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    def down(**_: Any) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr(work, "apply_async", down)
    services.send(1, "tests.outbox.work", {})


def test_what_is_over_a_minute_late_is_overdue_and_what_is_done_is_forgotten_in_a_week() -> None:
    row = message()
    OutboxMessage.objects.update(next_attempt_at=Now() - timedelta(seconds=61))
    assert overdue() == [row]
    services.finish(row.pk)
    assert overdue() == []
    assert services.forget_done() == 0
    OutboxMessage.objects.update(done_at=Now() - timedelta(days=8))
    assert services.forget_done() == 1


def test_more_than_a_batch_is_forgotten_in_one_run() -> None:
    """One batch a run, however many are made: the table grew for ever."""
    done = clock.now() - timedelta(days=8)
    rows = [OutboxMessage(task="tests.outbox.work", done_at=done) for _ in range(2 * BATCH + 1)]
    OutboxMessage.objects.bulk_create(rows)
    assert services.forget_done() == 2 * BATCH + 1


def test_forgetting_ends_in_time_and_goes_on_in_the_next_run() -> None:
    OutboxMessage.objects.bulk_create([OutboxMessage(task="tests.outbox.work") for _ in range(5)])
    everything = OutboxMessage.objects.all()
    assert delete_in_batches(everything, batch=2, seconds=0) == 2
    assert delete_in_batches(everything, batch=2) == 3


def unsent(how: str = "well") -> OutboxMessage:
    task = "tests.outbox.work"
    return services.enqueue_unsent(task, {"how": how}, request_id="request-1", now=clock.now())


def test_what_is_written_for_another_thread_is_sent_by_it_or_else_by_the_sweep(
    monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    sent: list[Any] = []
    monkeypatch.setattr(services, "send", lambda pk, *_: sent.append(pk))
    with django_capture_on_commit_callbacks(execute=True):
        handed, lost = unsent(), unsent()
        services.hand_over(handed)
    assert sent == [handed.pk]
    rows = OutboxMessage.objects.filter(pk__in=[handed.pk, lost.pk])
    assert {row.request_id for row in rows} == {"request-1"}
    assert services.sweep() == 0
    rows.update(sent_at=Now() - services.RESEND_AFTER)
    services.sweep()
    assert sent == [handed.pk, handed.pk, lost.pk]
    assert [run(row) for row in rows.order_by("pk")] == ["well", "well"]


@pytest.mark.django_db(transaction=False)
def test_enqueue_outside_a_transaction_is_a_programming_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        transaction, "get_connection", lambda: type("C", (), {"in_atomic_block": False})
    )
    with pytest.raises(RuntimeError, match="outside"):
        message()
    with pytest.raises(RuntimeError, match="outside"):
        unsent()


def fails(text: str) -> None:
    raise ZeroDivisionError(text)


@pytest.mark.django_db(transaction=True)
def test_what_fails_after_a_commit_is_logged_and_tells_nobody_that_it_failed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with transaction.atomic():
        after_commit(fails, "nothing to divide")
        message()
    assert OutboxMessage.objects.count() == 1
    assert "nothing to divide" in caplog.text


@pytest.mark.django_db(transaction=True)
def test_control_a_partial_hook_of_djangos_own_hurts_the_caller() -> None:
    with pytest.raises(AttributeError), transaction.atomic():
        transaction.on_commit(partial(fails, "nothing to divide"), robust=True)

"""Write, hand over, claim, finish and sweep outbox messages.

The broker is only the fast path: a message that was lost with it is sent again by the sweep. A
claim is a lease, so that a message whose worker was killed is run by another one.
"""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from celery import current_app
from celery.exceptions import NotRegistered
from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Now

from common import context, rows
from common.cleanup import delete_in_batches
from common.db import after_commit, transactional
from common.outbox import broker
from common.outbox.models import OutboxMessage

logger = logging.getLogger(__name__)

# Longer than the slowest provider call with its retries; a message runs again after that.
LEASE: Final = timedelta(seconds=30)
# A message that the broker has had for this long without a claim is sent again,
RESEND_AFTER: Final = timedelta(seconds=10)
# unless its queue is longer than this: it most likely waits there, and copies of everything that
# waits, every few seconds, would make the queue grow for as long as the sweep runs.
BACKED_UP: Final = 100
# One of those that was lost all the same is sent again after this long.
RESEND_LATEST: Final = timedelta(minutes=5)
MAX_DELAY_SECONDS: Final = 300
SWEEP_BATCH: Final = 500
RETENTION: Final = timedelta(days=7)


def enqueue(task: str, *, delay: float = 0, **payload: Any) -> OutboxMessage:
    """Have `task` called with `payload` once the running transaction commits.

    With `delay` (seconds) the sweep sends it when it is due. Must be called in a transaction: a
    message that commits apart from its cause can be lost, or sent for something undone.
    """
    _check_atomic(task)
    message = OutboxMessage.objects.create(
        task=task,
        payload=payload,
        request_id=context.request_id.get(),
        next_attempt_at=Now() + timedelta(seconds=delay),
        sent_at=None if delay else Now(),
    )
    if not delay:
        hand_over(message)
    return message


def enqueue_many(
    task: str, calls: Sequence[tuple[str, Mapping[str, Any]]], *, due: datetime
) -> None:
    """`enqueue` for several requests, each `(request id, payload)`, in one statement.

    `due` is a moment of the database's clock.

    The sweep sends them when they are due: one by one after the commit they would keep those
    waiting who are answered after it.
    """
    _check_atomic(task)
    rows.insert(
        OutboxMessage,
        ("task", "payload", "request_id", "next_attempt_at", "attempts", "last_error"),
        [(task, dict(payload), request_id, due, 0, "") for request_id, payload in calls],
    )


def enqueue_unsent(
    task: str, payload: Mapping[str, Any], *, request_id: str, now: datetime
) -> OutboxMessage:
    """`enqueue` for somebody else's request, whose thread hands the message over once it is
    committed; `now` by the database's clock.

    Who writes for many must not wait for the broker as often: it may be slow.
    """
    _check_atomic(task)
    columns = ("task", "payload", "request_id", "sent_at", "attempts", "last_error")
    key = rows.insert(OutboxMessage, columns, [(task, dict(payload), request_id, now, 0, "")])
    return OutboxMessage(pk=key, task=task, payload=dict(payload))


def hand_over(message: OutboxMessage) -> None:
    """Send it, after the running transaction where there is one; if it is lost, the sweep does."""
    after_commit(send, message.pk, message.task, message.payload)


def _check_atomic(task: str) -> None:
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError(f"{task} was enqueued outside a transaction")


def send(message_id: int, task: str, payload: dict[str, Any]) -> None:
    """Give one message to the broker; a broker that is down is left to the sweep."""
    try:
        call = current_app.tasks[task]
    except NotRegistered:  # a newer release wrote it: its own sweep sends it
        logger.error("outbox.unknown_task", extra={"task": task})
        return
    try:
        call.apply_async(
            kwargs={**payload, "outbox_id": message_id}, ignore_result=True, retry=False
        )
    except broker.errors() as error:
        logger.warning("outbox.not_sent", extra={"task": task, "error": type(error).__name__})


def claim(message_id: int) -> OutboxMessage | None:
    """Lease a due message; None where it is done, not yet due, or leased to someone else."""
    claimed = OutboxMessage.objects.filter(
        pk=message_id, done_at=None, next_attempt_at__lte=Now()
    ).update(attempts=F("attempts") + 1, next_attempt_at=Now() + LEASE)
    return OutboxMessage.objects.get(pk=message_id) if claimed else None


def finish(message_id: int) -> None:
    OutboxMessage.objects.filter(pk=message_id, done_at=None).update(done_at=Now(), last_error="")


def postpone(message: OutboxMessage, error: BaseException) -> None:
    """After a failed attempt: back off (1, 2, 4 … 300 s) and keep the kind of error."""
    delay = min(2 ** (message.attempts - 1), MAX_DELAY_SECONDS)
    OutboxMessage.objects.filter(pk=message.pk, done_at=None).update(
        next_attempt_at=Now() + timedelta(seconds=delay),
        sent_at=None,
        last_error=type(error).__name__[:200],
    )


def sweep() -> int:
    """Send every due message that the broker does not have, or has lost; returns how many."""
    messages = _take_due(_backed_up())
    for message in messages:
        send(message.pk, message.task, message.payload)
    return len(messages)


def _backed_up() -> list[str]:
    """Tasks whose queue is long."""
    found = broker.lengths(settings.QUEUES)
    long = {queue for queue, length in found.items() if length > BACKED_UP}
    return [name for name in current_app.tasks if broker.queue_of(name) in long] if long else []


@transactional
def _take_due(backed_up: Sequence[str]) -> list[OutboxMessage]:
    lost = Q(sent_at__lte=Now() - RESEND_AFTER) & ~Q(task__in=backed_up)
    due = OutboxMessage.objects.filter(
        Q(sent_at=None) | lost | Q(sent_at__lte=Now() - RESEND_LATEST),
        done_at=None,
        next_attempt_at__lte=Now(),
    ).order_by("next_attempt_at", "pk")
    # A list: the rows are updated below, and a lazy query would then find none of them.
    messages = list(due[:SWEEP_BATCH])
    OutboxMessage.objects.filter(pk__in=[m.pk for m in messages]).update(sent_at=Now())
    return messages


def forget_done() -> int:
    """Delete finished messages past their retention; returns how many."""
    return delete_in_batches(OutboxMessage.objects.filter(done_at__lt=Now() - RETENTION))

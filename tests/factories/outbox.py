"""A worker, in the process of the tests."""

from celery import current_app
from django.db.models.functions import Now

from common.outbox.models import OutboxMessage


def drained(*, later: bool = False) -> int:
    """Run the outbox's messages like a worker: due ones, with `later=True` delayed ones as well."""
    count = 0
    for _ in range(20):
        messages = OutboxMessage.objects.filter(done_at=None)
        if later:
            messages.update(next_attempt_at=Now())
        due = list(messages.filter(next_attempt_at__lte=Now()).order_by("pk"))
        if not due:
            return count
        for message in due:
            current_app.tasks[message.task](**message.payload, outbox_id=message.pk)
            count += 1
    return count

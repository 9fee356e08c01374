"""What the outbox owes."""

from datetime import timedelta
from typing import Final

from django.db.models.functions import Now

from common.outbox.models import OutboxMessage

OVERDUE_AFTER: Final = timedelta(seconds=60)


def overdue() -> list[OutboxMessage]:
    """Unfinished messages more than 60 s past their next attempt: no worker takes them."""
    late = OutboxMessage.objects.filter(done_at=None, next_attempt_at__lt=Now() - OVERDUE_AFTER)
    return list(late.order_by("pk")[:100])

"""What the outbox owes."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db.models import Count, Min, Q
from django.db.models.functions import Now

from common.outbox.models import OutboxMessage

OVERDUE_AFTER: Final = timedelta(seconds=60)


def overdue() -> list[OutboxMessage]:
    """Unfinished messages more than 60 s past their next attempt: no worker takes them."""
    late = OutboxMessage.objects.filter(done_at=None, next_attempt_at__lt=Now() - OVERDUE_AFTER)
    return list(late.order_by("pk")[:100])


@dataclass(frozen=True, slots=True)
class Owed:
    """Unfinished messages; no worker takes the `overdue` ones, `failing` ones were tried before."""

    waiting: int
    overdue: int
    failing: int
    oldest: datetime | None


def owed() -> Owed:
    """One query, of unfinished messages alone."""
    late = Q(next_attempt_at__lt=Now() - OVERDUE_AFTER)
    found = OutboxMessage.objects.filter(done_at=None).aggregate(
        waiting=Count("pk"),
        overdue=Count("pk", filter=late),
        failing=Count("pk", filter=~Q(last_error="")),
        oldest=Min("created_at"),
    )
    return Owed(**found)

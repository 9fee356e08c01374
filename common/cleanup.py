"""Deletes what nobody asks for any more, in short transactions."""

import time
from typing import Any, Final

from django.db.models import QuerySet

from common.db import transactional

# Half of what a task may take (CELERY_TASK_TIME_LIMIT): the next run goes on.
AT_MOST_SECONDS: Final = 30.0
BATCH: Final = 1000


def delete_in_batches(
    old: QuerySet[Any], *, batch: int = BATCH, seconds: float = AT_MOST_SECONDS
) -> int:
    """Until none is left, or so much time has passed; how many were deleted."""
    until, deleted = time.monotonic() + seconds, 0
    while count := _delete(old, batch):
        deleted += count
        if time.monotonic() >= until:
            break
    return deleted


@transactional
def _delete(old: QuerySet[Any], batch: int) -> int:
    # A list: MySQL has no LIMIT in the subquery of a DELETE.
    ids = list(old.values_list("pk", flat=True)[:batch])
    return old.model._default_manager.filter(pk__in=ids).delete()[0] if ids else 0

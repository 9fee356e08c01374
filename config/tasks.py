"""Periodic work that crosses apps."""

import logging
import time
from typing import Any

from celery import shared_task

from config import invariants, startup
from config.metrics import rounds, workers

logger = logging.getLogger(__name__)

workers.listen()
startup.listen()


@shared_task(name="config.check_invariants", ignore_result=True)
def check_invariants() -> int:
    found = invariants.breaches()
    for line in found:
        logger.error("invariant.breached", extra={"breach": line})
    rounds.breaches_found(len(found))
    return len(found)


@shared_task(name="config.pulse", bind=True, ignore_result=True)
def pulse(self: Any, queue: str) -> None:
    """Once around through the broker and a worker of this queue."""
    sent_at = workers.sent_at(self)
    rounds.came_around(queue, time.time() if sent_at is None else sent_at)

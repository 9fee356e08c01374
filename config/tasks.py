"""Periodic work that crosses apps."""

import logging

from celery import shared_task

from config import invariants

logger = logging.getLogger(__name__)


@shared_task(name="config.check_invariants", ignore_result=True)
def check_invariants() -> int:
    found = invariants.breaches()
    for line in found:
        logger.error("invariant.breached", extra={"breach": line})
    return len(found)

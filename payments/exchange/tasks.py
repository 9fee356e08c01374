"""Celery tasks of the exchange; each body may run twice."""

import logging
from datetime import timedelta
from typing import Final

from celery import shared_task

from common import clock
from common.outbox.tasks import OutboxTask
from payments.exchange import selectors, services
from payments.exchange.errors import Unreachable

logger = logging.getLogger(__name__)

RECONCILE_WINDOW: Final = timedelta(days=4)


@shared_task(base=OutboxTask, name="payments.exchange.settle_batch")
def settle_batch(batch_id: int) -> None:
    services.batch_settle(batch_id=batch_id)


@shared_task(name="payments.exchange.sweep", ignore_result=True)
def sweep() -> int:
    return services.pools_sweep()


@shared_task(name="payments.exchange.reconcile", ignore_result=True, time_limit=1800)
def reconcile() -> None:
    if not selectors.is_open():
        return
    try:
        report = services.venue_reconcile(since=clock.now() - RECONCILE_WINDOW, say=_log_difference)
    except Unreachable as error:  # the next hour compares the same days again
        logger.warning("reconcile.unreachable", extra={"error": str(error)})
        return
    logger.info("reconcile.done", extra={"count": report.compared})


def _log_difference(line: str) -> None:
    level = logging.ERROR if line.startswith("left") else logging.WARNING
    logger.log(level, "reconcile.difference", extra={"breach": line})

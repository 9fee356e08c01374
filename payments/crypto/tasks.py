"""Celery tasks of payments in coins; each body may run twice."""

import logging

from celery import shared_task

from common.outbox.errors import TryLater
from common.outbox.tasks import OutboxTask
from payments.chain.errors import ChainError, WrongChain
from payments.crypto import services

logger = logging.getLogger(__name__)


@shared_task(base=OutboxTask, name="payments.crypto.send_refund")
def send_refund(refund_id: int) -> None:
    services.refund_send(refund_id=refund_id)


@shared_task(name="payments.crypto.follow_refunds", ignore_result=True)
def follow_refunds() -> int:
    try:
        return services.refunds_follow()
    except TryLater as error:  # the next turn, seconds later, asks again
        logger.warning("crypto.refunds_not_followed", extra={"error": str(error)})
        return 0


@shared_task(name="payments.crypto.watch", ignore_result=True)
def watch() -> int:
    """A chain that is away is looked at again at the next turn."""
    try:
        return services.watch()
    except WrongChain as error:
        logger.error("crypto.wrong_chain", extra={"error": str(error)})
        return 0
    except ChainError as error:
        logger.warning("crypto.chain_away", extra={"error": str(error)[:200]})
        return 0

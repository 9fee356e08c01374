"""Celery tasks on Stripe's side; each body may run twice."""

import logging

from celery import shared_task

from common.outbox.tasks import OutboxTask
from payments.stripe import services
from payments.stripe.errors import Unreachable

logger = logging.getLogger(__name__)


@shared_task(base=OutboxTask, name="payments.stripe.open_intent")
def open_intent(payment_id: int) -> None:
    services.intent_ensure(payment_id=payment_id)


@shared_task(base=OutboxTask, name="payments.stripe.cancel_intent")
def cancel_intent(payment_id: int) -> None:
    services.intent_cancel(payment_id=payment_id)


@shared_task(base=OutboxTask, name="payments.stripe.sync_intent")
def sync_intent(payment_id: int) -> None:
    services.intent_sync(payment_id=payment_id)


@shared_task(base=OutboxTask, name="payments.stripe.resolve_attempt")
def resolve_attempt(payment_id: int) -> None:
    services.attempt_resolve(payment_id=payment_id)


@shared_task(base=OutboxTask, name="payments.stripe.process_event")
def process_event(event_pk: int) -> None:
    services.webhook_process(event_pk=event_pk)


@shared_task(base=OutboxTask, name="payments.stripe.send_refund")
def send_refund(refund_id: int) -> None:
    services.refund_send(refund_id=refund_id)


@shared_task(base=OutboxTask, name="payments.stripe.sync_refund")
def sync_refund(refund_id: int) -> None:
    services.refund_sync(refund_id=refund_id)


@shared_task(name="payments.stripe.poll", ignore_result=True)
def poll() -> int:
    return services.poll()


# A page of a hundred payments takes about a second; a shop with very many has minutes of it.
@shared_task(name="payments.stripe.reconcile", ignore_result=True, time_limit=1800)
def reconcile() -> None:
    try:
        report = services.payments_reconcile_in_turn(say=_log_difference)
    except Unreachable as error:  # the next hour compares the same days again
        logger.warning("reconcile.unreachable", extra={"error": str(error)})
        return
    if report is not None:
        logger.info("reconcile.done", extra={"count": report.compared})


def _log_difference(line: str) -> None:
    level = logging.ERROR if line.startswith("left") else logging.WARNING
    logger.log(level, "reconcile.difference", extra={"breach": line})

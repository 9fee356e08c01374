"""Periodic work of the idempotency records."""

from celery import shared_task

from common.idempotency import services


@shared_task(name="common.idempotency.forget_expired", ignore_result=True)
def forget_expired() -> int:
    return services.forget_expired()

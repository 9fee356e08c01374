"""Periodic work of the payments' statistics."""

from celery import shared_task

from payments.statistics import services


@shared_task(name="payments.statistics.count", ignore_result=True)
def count() -> int:
    return services.methods_count()

"""Celery tasks of exports; each body may run twice."""

from celery import shared_task

from common.outbox.tasks import OutboxTask
from payments.exports import services


@shared_task(base=OutboxTask, name="payments.exports.make")
def make(export_id: int) -> None:
    services.export_make(export_id=export_id)


@shared_task(name="payments.exports.forget", ignore_result=True)
def forget() -> int:
    return services.exports_forget()

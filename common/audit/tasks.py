"""Periodic work of the audit log."""

from celery import shared_task

from common.audit import services


@shared_task(name="common.audit.seal", ignore_result=True)
def seal() -> int:
    batch = services.seal()
    return batch.entries if batch else 0

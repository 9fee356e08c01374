"""One mail about one payment event. May run twice, and sends once."""

from celery import shared_task

from common.outbox.tasks import OutboxTask
from payments.notices import services


@shared_task(base=OutboxTask, name="payments.notices.send")
def send(event_id: int) -> None:
    services.notice_send(event_id=event_id)

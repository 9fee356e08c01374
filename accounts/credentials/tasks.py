"""Mails, and the tokens in them, which exist nowhere before the task runs. May run twice."""

from celery import shared_task

from accounts.credentials import services
from common.outbox.tasks import OutboxTask


@shared_task(base=OutboxTask, name="accounts.credentials.send_reset")
def send_reset(email: str, nonce: str) -> None:
    services.password_reset_send(email=email, nonce=nonce)


@shared_task(base=OutboxTask, name="accounts.credentials.send_verification")
def send_verification(user_id: int, nonce: str) -> None:
    services.email_verification_send(user_id=user_id, nonce=nonce)

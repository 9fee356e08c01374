"""Celery tasks of the ledger."""

from celery import shared_task

from accounts.ledger import services


@shared_task(name="accounts.ledger.expire_holds", ignore_result=True)
def expire_holds() -> int:
    return services.holds_expire()


@shared_task(name="accounts.ledger.carry_sums", ignore_result=True)
def carry_sums() -> int:
    return services.sums_carry()

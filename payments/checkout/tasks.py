"""Periodic work of the checkout."""

from celery import shared_task

from payments.checkout import services


@shared_task(name="payments.checkout.expire_overdue", ignore_result=True)
def expire_overdue() -> int:
    return services.orders_expire() + services.deposits_expire()


@shared_task(name="payments.checkout.count_histories", ignore_result=True)
def count_histories() -> int:
    return services.histories_count()

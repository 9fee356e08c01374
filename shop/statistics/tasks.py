"""Periodic work of the statistics."""

from celery import shared_task

from shop.statistics import services


@shared_task(name="shop.statistics.count", ignore_result=True)
def count() -> int:
    return services.sales_count()

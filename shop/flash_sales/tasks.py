"""Periodic work of flash sales."""

from celery import shared_task

from shop.flash_sales import services


@shared_task(name="shop.flash_sales.sweep", ignore_result=True)
def sweep() -> int:
    return services.runs_sweep()

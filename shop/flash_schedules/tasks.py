"""Periodic work of schedules."""

from celery import shared_task

from shop.flash_schedules import services


@shared_task(name="shop.flash_schedules.plan", ignore_result=True)
def plan() -> int:
    return services.schedules_plan()

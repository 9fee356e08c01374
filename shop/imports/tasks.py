"""Periodic work of imports."""

from celery import shared_task

from shop.imports import services


@shared_task(name="shop.imports.forget", ignore_result=True)
def forget() -> int:
    return services.files_forget()

"""App configuration."""

from celery.signals import setup_logging
from django.apps import AppConfig

from common.logs import keep_django_logging


class CommonConfig(AppConfig):
    name = "common"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        setup_logging.connect(keep_django_logging)

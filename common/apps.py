"""App configuration."""

from celery.signals import setup_logging, task_prerun
from django.apps import AppConfig
from django.core.signals import request_started

from common.db import drop_stuck_connections
from common.logs import keep_django_logging


class CommonConfig(AppConfig):
    name = "common"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        setup_logging.connect(keep_django_logging)
        request_started.connect(drop_stuck_connections)
        task_prerun.connect(drop_stuck_connections)

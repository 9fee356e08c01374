"""The Celery application."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.embedded")

# Autodiscovery looks only at app packages; features are packages inside them.
FEATURES = [
    "common.outbox",
    "common.idempotency",
    "accounts.sessions",
    "payments.checkout",
    "payments.intake",
    "payments.stripe",
    "config",
]

app = Celery("souk")
app.config_from_object("django.conf:settings", namespace="CELERY")
# Forced: the outbox looks tasks up by name before any worker has imported them.
app.autodiscover_tasks(FEATURES, force=True)

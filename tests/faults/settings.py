"""Production's settings for the processes of the fault tests, and switches that break them.

FAULT_POINT       "confirm_intent:after": SIGKILL at this point, once (see `points.py`);
                  "…:slow" takes half a second each time
FAULT_MARK        the file whose making decides that it has happened
FAULT_QUICK       shorter waits of the outbox, where a test is not about how long recovery takes
FAULT_NO_BEAT     names of entries of the beat schedule, by comma, that never run
FAULT_CLOCK       seconds by which the host's clock is off
FAULT_HOST_CLOCK  deadlines go by the host's clock instead of the database's
FAULT_COUNTER     units of flash runs are counted and then written, as most shops do
FAULT_NO_STRIPE   orders are placed without asking Stripe for an intent
"""

import os
from datetime import UTC, datetime, timedelta

import time_machine

from config.settings.production import *  # noqa: F403
from config.settings.production import CELERY_BEAT_SCHEDULE, INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.faults.points.Points"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
if _off := float(os.environ.get("FAULT_CLOCK", "0")):
    time_machine.travel(datetime.now(UTC) + timedelta(seconds=_off), tick=True).start()
# Everybody comes from one address here, and asks more often than any person.
RATE_LIMIT_FACTOR = 0
_silent = os.environ.get("FAULT_NO_BEAT", "").split(",")
CELERY_BEAT_SCHEDULE = {k: v for k, v in CELERY_BEAT_SCHEDULE.items() if k not in _silent}

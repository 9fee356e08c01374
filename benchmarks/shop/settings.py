"""Production's settings with two routes more, and without what a minute's rush would run into."""

from datetime import timedelta

from config.settings.production import *  # noqa: F403

ROOT_URLCONF = "benchmarks.shop.urls"
# Tokens are made once, before the first round.
ACCESS_TOKEN_LIFETIME = timedelta(hours=6)
# Every request is counted as ever, and none refused.
RATE_LIMIT_FACTOR = 100_000
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}

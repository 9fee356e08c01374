"""A shop of django-oscar with its REST API, as its documentation sets one up; in its own venv."""

import os
from datetime import timedelta

from oscar.defaults import *  # noqa: F403

SECRET_KEY = "a-secret-key-for-the-benchmark-0123456789-abcdefghijklmnop"
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = "benchmarks.oscar.urls"
SITE_ID = 1
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
STATIC_URL, MEDIA_URL = "/static/", "/media/"

_OSCAR = (
    "analytics checkout address shipping catalogue catalogue.reviews communication partner basket "
    "payment offer order customer search voucher wishlists dashboard dashboard.reports "
    "dashboard.users dashboard.orders dashboard.catalogue dashboard.offers dashboard.partners "
    "dashboard.pages dashboard.ranges dashboard.reviews dashboard.vouchers "
    "dashboard.communications dashboard.shipping"
)
_CONFIGS = {
    "analytics": "AnalyticsConfig",
    "catalogue.reviews": "CatalogueReviewsConfig",
    "dashboard.reports": "ReportsDashboardConfig",
}


def _config(app: str) -> str:
    """The app's own name for its configuration: `oscar.apps.partner.apps.PartnerConfig`."""
    parts = app.split(".")
    name = "".join(part.capitalize() for part in reversed(parts))
    return f"oscar.apps.{app}.apps.{_CONFIGS.get(app, name + 'Config')}"


INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.sites",
    "django.contrib.flatpages",
    "oscar.config.Shop",
    *(_config(app) for app in _OSCAR.split()),
    "widget_tweaks",
    "haystack",
    "treebeard",
    "django_tables2",
    "rest_framework",
    "oscarapi",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "oscarapi.middleware.ApiBasketMiddleWare",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
HAYSTACK_CONNECTIONS = {"default": {"ENGINE": "haystack.backends.simple_backend.SimpleEngine"}}
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.mysql",
        "NAME": "oscar",
        "HOST": os.environ["OSCAR_HOST"],
        "PORT": os.environ["OSCAR_PORT"],
        "USER": os.environ["OSCAR_USER"],
        "PASSWORD": os.environ["OSCAR_PASSWORD"],
        "CONN_MAX_AGE": 600,
        "OPTIONS": {"charset": "utf8mb4", "isolation_level": "read committed"},
    }
}
EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
OSCAR_INITIAL_ORDER_STATUS = "new"
OSCAR_DEFAULT_CURRENCY = "USD"
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "rest_framework_simplejwt.authentication.JWTAuthentication",
    ],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
}
SIMPLE_JWT = {"ACCESS_TOKEN_LIFETIME": timedelta(hours=6)}
LOGGING = {"version": 1, "disable_existing_loggers": True}

"""The ASGI application: streams alone. Everything else is `config.wsgi`."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.embedded")
django.setup()

from shop.flash_sales.live.asgi import application  # noqa: E402  # its imports need the settings

__all__ = ["application"]

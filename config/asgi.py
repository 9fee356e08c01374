"""The ASGI application: streams alone. Everything else is `config.wsgi`."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.embedded")
django.setup()

# The imports need the settings.
from config import startup  # noqa: E402
from payments.market.live.asgi import PRICES  # noqa: E402
from shop.flash_sales.live.asgi import STOCK, Streams  # noqa: E402

application = Streams([STOCK, PRICES])
startup.settle()

"""The WSGI application."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.embedded")
_django = get_wsgi_application()

from config import startup  # noqa: E402  # the models below it need the apps to be loaded
from config.rush import guard  # noqa: E402
from config.window import window  # noqa: E402

application = guard(window(_django))
startup.settle_web()

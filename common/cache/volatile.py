"""The cache for what may be lost at any time: a Redis of its own, where there is one."""

from typing import Any, Final

from django.conf import settings
from django.core.cache import caches

ALIAS: Final = "volatile"


def volatile() -> Any:
    return caches[ALIAS if ALIAS in settings.CACHES else "default"]

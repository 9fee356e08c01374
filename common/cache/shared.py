"""Calls to Redis that wait at the same moment are one: Python's part is most of what each costs."""

from django.conf import settings
from django_redis import get_redis_connection  # type: ignore[import-untyped]

from common.together import R, T, Together


def is_shared() -> bool:
    """Whether the cache is Redis."""
    return str(settings.CACHES["default"]["BACKEND"]).startswith("django_redis.")


class Asked(Together[T, R]):
    """While Redis is silent each asks alone: one finds out, and the others fail at once.

    Behind the one that tries whether it is back, all would wait as long as it does.
    """

    def is_alone(self) -> bool:
        return super().is_alone() or (is_shared() and not _breaker_is_closed())


def _breaker_is_closed() -> bool:
    return bool(get_redis_connection("default").connection_pool.breaker.is_closed)

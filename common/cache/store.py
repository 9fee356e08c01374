"""The cache's way to Redis: a server that falls silent is waited for by one call, not by all.

What is raised here without asking Redis is to django-redis a failure like any other: a miss.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

from django.conf import settings
from django_redis import get_redis_connection  # type: ignore[import-untyped]
from redis.client import Pipeline, Redis
from redis.connection import ConnectionPool
from redis.exceptions import ConnectionError, TimeoutError

from common.together import R, T, Together

# After a wait in vain no call is made for so long; then one, while the others go on failing.
OPEN_SECONDS: Final = 2.0
# A connection that is refused or reset at once costs no time: the next call may try.
WAITED_SECONDS: Final = 0.1

_insisting: ContextVar[bool] = ContextVar("cache_insisting", default=False)


@contextmanager
def insisting() -> Iterator[None]:
    """For writes that must not be skipped: they wait for Redis even if it was silent just now."""
    before = _insisting.set(True)
    try:
        yield
    finally:
        _insisting.reset(before)


class Breaker:
    """Whether calls are made at all; one for all threads of the process."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._open_until = 0.0

    @property
    def is_closed(self) -> bool:
        """The last call was answered, or failed at once."""
        return not self._open_until

    @contextmanager
    def call(self) -> Iterator[None]:
        """Around one call. Raises redis' ConnectionError where it is not to be made."""
        started = self._clock()
        if not (_insisting.get() or self._may_try(started)):
            raise ConnectionError("Redis was silent a moment ago")
        try:
            yield
        except (ConnectionError, TimeoutError, OSError):
            if self._clock() - started >= WAITED_SECONDS:
                self._open_until = self._clock() + OPEN_SECONDS
            raise
        self._open_until = 0.0

    def _may_try(self, now: float) -> bool:
        if not self._open_until:
            return True
        with self._lock:
            if now < self._open_until:
                return False
            # Those that come while this one waits must not wait as well.
            self._open_until = now + OPEN_SECONDS
            return True


class Pool(ConnectionPool):
    """django-redis makes a client for each thread, and one pool for all of them."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.breaker = Breaker()


class Client(Redis):
    """Commands, scripts, and pipelines that go through the breaker as one call."""

    connection_pool: Pool

    def execute_command(self, *args: Any, **options: Any) -> Any:
        with self.connection_pool.breaker.call():
            return super().execute_command(*args, **options)  # type: ignore[no-untyped-call]

    def pipeline(self, transaction: bool = True, shard_hint: Any = None) -> "ClientPipeline":
        return ClientPipeline(
            self.connection_pool, self.response_callbacks, transaction, shard_hint
        )


class ClientPipeline(Pipeline):
    connection_pool: Pool

    def execute(self, raise_on_error: bool = True) -> list[Any]:
        if not self.command_stack:  # asks nothing, hence says nothing about Redis
            return []
        with self.connection_pool.breaker.call():
            return super().execute(raise_on_error)


def is_shared() -> bool:
    """Whether the cache is Redis."""
    return str(settings.CACHES["default"]["BACKEND"]).startswith("django_redis.")


class Asked(Together[T, R]):
    """Calls that wait at the same moment are one: Python's part is most of what each costs.

    While Redis is silent each asks alone: one finds out, and the others fail at once. Behind the
    one that tries whether it is back, all would wait as long as it does.
    """

    def is_alone(self) -> bool:
        return super().is_alone() or (is_shared() and not _breaker_is_closed())


def _breaker_is_closed() -> bool:
    return bool(get_redis_connection("default").connection_pool.breaker.is_closed)

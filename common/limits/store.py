"""Counters of fixed windows: in Redis for all processes, in this process while Redis is away."""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from django.core.cache import cache
from django_redis import get_redis_connection  # type: ignore[import-untyped]
from redis.exceptions import RedisError

from common.cache.store import Asked, is_shared

# One script: a process that died between INCR and PEXPIRE would leave a counter for ever.
COUNT: Final = """
local found = {}
for i, key in ipairs(KEYS) do
    local used = redis.call('INCR', key)
    local left = redis.call('PTTL', key)
    if left < 0 then
        redis.call('PEXPIRE', key, ARGV[i])
        left = tonumber(ARGV[i])
    end
    found[i] = {used, left}
end
return found
"""

MAX_COUNTERS: Final = 20_000


class LocalCounters:
    """The same in one process; forgets finished windows, then everything, beyond MAX_COUNTERS."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._counters: dict[str, tuple[int, float]] = {}

    def count(self, key: str, window: float) -> tuple[int, float]:
        now = self._clock()
        with self._lock:
            used, ends = self._counters.get(key, (0, now + window))
            if ends <= now:
                used, ends = 0, now + window
            self._counters[key] = used + 1, ends
            if len(self._counters) > MAX_COUNTERS:
                self._forget(now)
        return used + 1, ends - now

    def clear(self) -> None:
        with self._lock:
            self._counters.clear()

    def _forget(self, now: float) -> None:
        live = {key: kept for key, kept in self._counters.items() if kept[1] > now}
        self._counters = live if len(live) <= MAX_COUNTERS else {}


local: Final = LocalCounters()
Counters = Sequence[tuple[str, float]]


def count(key: str, window: float) -> tuple[int, float, bool]:
    """Count one; how many in the window, its seconds left, and whether all processes are in it."""
    if not is_shared():
        # One process is all there is: its own counters see every request.
        return *local.count(key, window), True
    try:
        [counted] = count_shared([(f"limit:{key}", window)])
    except (RedisError, OSError):
        return *local.count(key, window), False
    return *counted, True


def count_shared(counters: Counters) -> list[tuple[int, float]]:
    """Count one in each `(key, window)`, in one call; how many there are, and the seconds left.

    Raises RedisError or OSError.
    """
    return _TOGETHER.call(counters)


def _count_all(waiting: Sequence[Counters]) -> list[list[tuple[int, float]]]:
    redis: Any = get_redis_connection("default")
    keys = [cache.make_key(key) for counters in waiting for key, _ in counters]
    windows = [int(window * 1000) for counters in waiting for _, window in counters]
    found = iter(redis.eval(COUNT, len(keys), *keys, *windows))
    return [[_counted(next(found)) for _ in counters] for counters in waiting]


def _counted(found: Any) -> tuple[int, float]:
    used, left = found
    return int(used), left / 1000


_TOGETHER: Final = Asked(_count_all)

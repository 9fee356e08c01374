"""Counters in the cache, or in this process while the cache is down."""

from typing import Any, Final

from django.core.cache import cache
from django.core.cache.backends.locmem import LocMemCache

# The default of 300 entries would have a flood of addresses push the counters out.
_OWN: Final = LocMemCache("throttling", {"max_entries": 100_000})

KNOWN_TTL: Final = 30 * 24 * 3600
TICKET_TTL: Final = 300


class Counters:
    """One attempt's view of the counters; `alone` once the cache has failed to answer."""

    def __init__(self) -> None:
        self.alone = False

    @property
    def _cache(self) -> Any:
        return _OWN if self.alone else cache

    def up(self, key: str, ttl: int) -> int:
        """One more; how many that makes. Atomic, so that parallel attempts all count."""
        count = self._up(key, ttl)
        if count is None:
            self.alone = True
            count = self._up(key, ttl)
        return count or 1

    def _up(self, key: str, ttl: int) -> int | None:
        """None where the cache is down: its backend swallows the error and answers None."""
        for _ in range(2):
            self._cache.add(key, 0, ttl)
            try:
                count: int | None = self._cache.incr(key)
            except ValueError:  # it expired between the two
                continue
            return count
        return None

    def down(self, key: str) -> None:
        """Take one back."""
        try:
            self._cache.decr(key)
        except ValueError:  # its window is over
            return

    def put(self, key: str, value: Any, ttl: int) -> None:
        """Set where there is nothing yet."""
        self._cache.add(key, value, ttl)

    def get(self, key: str) -> Any:
        return self._cache.get(key)

    def take(self, key: str, value: Any) -> bool:
        """Use up a value that was read; true for one caller.

        Removing the key alone would let a late caller remove, and so use, the value after it.
        """
        first = bool(self._cache.add(f"{key}:{value}:used", 1, TICKET_TTL))
        if first:
            self._cache.delete(key)
        return first


def is_known(account: str, address: str) -> bool:
    return bool(cache.get(_known(account, address)))


def know(account: str, address: str) -> None:
    cache.set(_known(account, address), 1, KNOWN_TTL)


def _known(account: str, address: str) -> str:
    return f"thr:known:{account}:{address}"


def forget(*keys: str) -> None:
    cache.delete_many(keys)

"""How many purchases somebody has made in a window, counted in the cache by all processes.

While the cache is away nothing is counted and the rules stop nobody: they are there against
fraud, and the limits of a sale are the database's.
"""

import hashlib
from collections.abc import Sequence
from typing import Final

from django.conf import settings
from django.core.cache import cache
from redis.exceptions import RedisError

from common.cache.store import is_shared
from common.limits.store import count_shared

_PREFIX: Final = "risk"


def digest(text: str) -> str:
    """What a subject is kept as: addresses and cards are nobody's to read in the cache."""
    key = hashlib.sha256(settings.SECRET_KEY.encode()).digest()
    return hashlib.blake2b(text.encode(), key=key, digest_size=32).hexdigest()


def _key(rule: str, subject: str) -> str:
    return f"{_PREFIX}:{rule}:{digest(subject)}"


def count(counters: Sequence[tuple[str, str, float]]) -> list[int]:
    """One more of each `(rule, subject, seconds)`; how many in the window, which began with the
    first of them.
    """
    keys = [(_key(rule, subject), seconds) for rule, subject, seconds in counters]
    if not (keys and is_shared()):
        return [_count_here(key, seconds) for key, seconds in keys]
    try:
        return [used for used, _ in count_shared(keys)]
    except (RedisError, OSError):
        return [0] * len(keys)


def _count_here(key: str, seconds: float) -> int:
    cache.add(key, 0, seconds)
    try:
        return int(cache.incr(key) or 0)
    except ValueError:  # it lapsed this moment
        return 0


def take_back(rule: str, subject: str) -> None:
    """It came to nothing."""
    try:
        cache.decr(_key(rule, subject))
    except ValueError:
        return


def is_first(rule: str, subject: str, seconds: float) -> bool:
    """Whether nobody was told of this within the window."""
    return bool(cache.add(_key(f"told-{rule}", subject), 1, seconds))

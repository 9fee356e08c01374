"""Figures kept for a few seconds, which one request makes while the others show the last ones."""

import time
from collections.abc import Callable
from typing import Any, Final

from django.core.cache import cache

# The number changes with the figures' shape: releases side by side share the cache.
_PREFIX: Final = "dashboard:1:"
FRESH_SECONDS: Final = 10
# Shown while somebody makes new ones, or while the database does not answer.
KEPT_SECONDS: Final = 300
BUILD_SECONDS: Final = 20
# With nothing to show: looks at what the one who builds has made, so many and so far apart.
LOOKS: Final = 40
LOOK_SECONDS: Final = 0.05

Kept = tuple[float, dict[str, Any]]


def kept(name: str, build: Callable[[], dict[str, Any]]) -> tuple[dict[str, Any], float]:
    """What `build` has made and how many seconds ago; without a cache it is built every time."""
    found: Kept | None = cache.get(_PREFIX + name)
    if found is not None and _age(found) < FRESH_SECONDS:
        return found[1], _age(found)
    if cache.add(f"{_PREFIX}{name}:building", 1, BUILD_SECONDS):
        return _built(name, build), 0.0
    found = found or _awaited(name)
    return (found[1], _age(found)) if found is not None else (build(), 0.0)


def _age(found: Kept) -> float:
    return max(0.0, time.time() - found[0])


def _built(name: str, build: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    try:
        made = build()
        cache.set(_PREFIX + name, (time.time(), made), KEPT_SECONDS)
    finally:
        cache.delete(f"{_PREFIX}{name}:building")
    return made


def _awaited(name: str) -> Kept | None:
    for _ in range(LOOKS):
        time.sleep(LOOK_SECONDS)
        found: Kept | None = cache.get(_PREFIX + name)
        if found is not None:
            return found
    return None

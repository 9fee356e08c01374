"""What rounds of periodic work leave in the cache for whoever is asked how the shop is."""

import time
from dataclasses import dataclass
from typing import Any, Final

from django.core.cache import cache

_PULSE: Final = "rounds:pulse:"
_BREACHES: Final = "rounds:breaches"
# A queue that nothing has come out of for longer shows none at all, which the alert is about too.
_KEPT: Final = 24 * 3600


@dataclass(frozen=True, slots=True)
class Checked:
    """How many breaches the last check of the invariants found, and its Unix time."""

    count: int
    at: float


def came_around(queue: str, sent_at: float) -> None:
    """A pulse that was sent at this Unix time has gone through broker and worker."""
    cache.set(_PULSE + queue, sent_at, _KEPT)


def age(queue: str) -> float | None:
    """Seconds since the newest pulse that came around was sent; None where there is none.

    So it grows with the wait in the queue, and without a worker for ever.
    """
    sent_at: float | None = cache.get(_PULSE + queue)
    return None if sent_at is None else max(0.0, time.time() - sent_at)


def breaches_found(count: int) -> None:
    cache.set(_BREACHES, {"count": count, "at": time.time()}, _KEPT)


def breaches_known() -> Checked | None:
    found: dict[str, Any] | None = cache.get(_BREACHES)
    return None if found is None else Checked(**found)

"""Count a request against a limit of settings.RATE_LIMITS."""

import math
from typing import Final

from django.conf import settings

from common.limits import store
from common.limits.rules import Count

WINDOW_SECONDS: Final = 60
# Without Redis each process counts for itself: several together must not let through more.
STAND_IN_SHARE: Final = 4


def limit_of(scope: str, kind: str) -> int:
    """Requests a minute; 0 where there is no such limit."""
    limit: float = settings.RATE_LIMITS[scope].get(kind, 0) * settings.RATE_LIMIT_FACTOR
    return math.ceil(limit)


def spend(scope: str, kind: str, who: str) -> Count | None:
    """One request of `who` (`kind`: "user" or "address"); None where nothing is limited."""
    limit = limit_of(scope, kind)
    if not limit:
        return None
    used, seconds, shared = store.count(f"{scope}:{kind}:{who}", WINDOW_SECONDS)
    if not shared:
        limit = max(1, limit // STAND_IN_SHARE)
    return Count(limit, used, max(1, math.ceil(seconds)))

"""What the cache knows of families, so that a request costs no query while it is up.

`fam:<uid>` holds one of
    a dict      the family lives, and this is its Principal; at most LIVE_TTL old
    "doubt"     ask the database and write nothing: a change is being committed
    "dead"      revoked; outlives every access token of the family
or nothing, which asks the database: a lost cache brings no dead token back.

The race: a reader asks the database, a revocation commits and clears the key, the reader writes
the state it read before. So a change never clears the key but puts a mark there, and readers write
with `add` alone, which a mark defeats. The doubt is set before the commit, so that a process that
dies between its commit and the "dead" mark leaves no live entry either. A cache that could not be
reached during the revocation, and comes back with its old contents, is believed for LIVE_TTL at
most. Marks are therefore tried at any time: one skipped because Redis was silent a moment before
would give a revoked family that time while Redis is up.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final, Literal
from uuid import UUID

from django.conf import settings
from django.core.cache import cache

from accounts.sessions.rules import Principal
from common.cache.store import Asked, insisting

LIVE_TTL: Final = 60
# Longer than a transaction, and than a reader takes from its query to its `add`.
DOUBT_TTL: Final = 30
DOUBT: Final = "doubt"
DEAD: Final = "dead"

Known = Principal | Literal["doubt", "dead"] | None


def recall(family: UUID) -> Known:
    found = _TOGETHER.call(_key(family))
    return _principal(found) if isinstance(found, dict) else found


def _recall_all(keys: Sequence[str]) -> list[Any]:
    found = cache.get_many(keys)
    return [found.get(key) for key in keys]


_TOGETHER: Final = Asked(_recall_all)


def remember(family: UUID, principal: Principal) -> None:
    """Cache what the database said, unless something is there already."""
    state = {
        "pk": principal.pk,
        "uid": str(principal.uid),
        "is_staff": principal.is_staff,
        "is_superuser": principal.is_superuser,
    }
    cache.add(_key(family), state, LIVE_TTL)


def doubt(families: Iterable[UUID]) -> None:
    """Have the database asked about these families for a while."""
    _mark(families, DOUBT, DOUBT_TTL)


def bury(families: Iterable[UUID]) -> None:
    """Refuse these families' access tokens until the last one has expired."""
    lifetime = int(settings.ACCESS_TOKEN_LIFETIME.total_seconds()) + LIVE_TTL
    _mark(families, DEAD, lifetime)


def _mark(families: Iterable[UUID], mark: str, seconds: int) -> None:
    with insisting():
        cache.set_many({_key(family): mark for family in families}, seconds)


def _principal(state: dict[str, Any]) -> Principal:
    return Principal(**{**state, "uid": UUID(state["uid"])})


def _key(family: UUID) -> str:
    return f"fam:{family}"

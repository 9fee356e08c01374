"""Whether a family lives, and whom it speaks for."""

from uuid import UUID

from django.db.models.functions import Now

from accounts.sessions import store
from accounts.sessions.models import RefreshFamily
from accounts.sessions.rules import Principal, jti_hash


def principal_of(*, family: UUID) -> Principal | None:
    """Whom a living family speaks for, from the cache, else from the database."""
    known = store.recall(family)
    if known == store.DEAD:
        return None
    if isinstance(known, Principal):
        return known
    found = principal_stored(family=family)
    if found is not None:
        store.remember(family, found)
    return found


def principal_stored(*, family: UUID) -> Principal | None:
    """The database's word: the family is neither revoked nor expired, its user is active."""
    row = (
        RefreshFamily.objects.filter(
            uid=family, revoked_at=None, expires_at__gt=Now(), user__is_active=True
        )
        .values_list("user_id", "user__uid", "user__is_staff", "user__is_superuser")
        .first()
    )
    return Principal(*row) if row else None


def refresh_is_current(*, family: UUID, jti: str) -> bool:
    """Whether this refresh token could be used now."""
    current = RefreshFamily.objects.filter(uid=family, current_jti=jti_hash(jti)).exists()
    return current and principal_stored(family=family) is not None


def jti_is_old(*, family: UUID, jti: str) -> bool:
    """Whether the family has gone on to another refresh token."""
    found = RefreshFamily.objects.filter(uid=family)
    return found.exclude(current_jti=jti_hash(jti)).exists()


def families_live(*, user_id: int) -> list[UUID]:
    found = RefreshFamily.objects.filter(user_id=user_id, revoked_at=None)
    return list(found.values_list("uid", flat=True))

"""Sign in, refresh, sign out.

Refresh tokens are used once. Of parallel refreshes with one token the conditional UPDATE lets one
through; the others look exactly like a thief with a copy, so they end the family, the winner's new
tokens with it. One token never leaves two living families, and after a race leaves none: the user
signs in again. Clients must therefore refresh from one place at a time.
"""

from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Final
from uuid import UUID, uuid4

from django.conf import settings
from django.contrib.auth import authenticate
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.db.models.functions import Now

from accounts.sessions import locks, selectors, store, tokens
from accounts.sessions.errors import InvalidCredentials, TokenReused, TokenRevoked
from accounts.sessions.models import RefreshFamily
from accounts.sessions.rules import Claims, TokenPair, jti_hash
from accounts.users.models import User
from common.cleanup import delete_in_batches
from common.db import transactional
from common.errors import Unauthorized

Reason = RefreshFamily.Reason

KEEP_EXPIRED: Final = timedelta(days=1)
FORGET_BATCH: Final = 1000


def session_open(*, identifier: str, password: str) -> TokenPair:
    """Sign in by e-mail or username. Raises InvalidCredentials, alike for every reason."""
    user = authenticate(username=identifier, password=password)
    if user is None:
        raise InvalidCredentials
    return session_start(user_id=user.pk, proven_by=user.password)


@transactional
def session_start(*, user_id: int, proven_by: str | None = None) -> TokenPair:
    """A new family for a user whose identity is proven. Raises InvalidCredentials if inactive.

    `proven_by` is the stored hash that a password was compared with: a password that was changed
    since then proves nothing, and its session would outlive the change.
    """
    user = locks.user_active(user_id=user_id)
    if user is None or proven_by not in (None, user.password):
        raise InvalidCredentials
    family = uuid4()
    pair, jti = tokens.issue(family)
    RefreshFamily.objects.create(
        uid=family,
        user=user,
        current_jti=jti_hash(jti),
        expires_at=Now() + settings.REFRESH_TOKEN_LIFETIME,
    )
    return pair


def session_refresh(*, refresh: str) -> TokenPair:
    """The next pair of the family, which lives on from now.

    Raises TokenReused, having ended the family, for any but its newest token; TokenRevoked for a
    dead family; TokenExpired, TokenNotValid.
    """
    claims = tokens.read(refresh, tokens.REFRESH)
    pair = _rotate(claims)
    if pair is not None:
        return pair
    # Outside the transaction above: ending the family must outlive the refusal.
    if selectors.jti_is_old(family=claims.family, jti=claims.jti):
        session_end(family=claims.family, reason=Reason.REUSED)
        raise TokenReused
    raise TokenRevoked


def session_name(*, refresh: str) -> str:
    """What attempts to refresh are counted by: the family; "" for all that is no refresh token."""
    try:
        return str(tokens.read(refresh, tokens.REFRESH).family)
    except Unauthorized:
        return ""


@transactional
def _rotate(claims: Claims) -> TokenPair | None:
    pair, jti = tokens.issue(claims.family)
    won = _refreshable(claims).update(
        current_jti=jti_hash(jti),
        rotated_at=Now(),
        expires_at=Now() + settings.REFRESH_TOKEN_LIFETIME,
    )
    return pair if won else None


def _refreshable(claims: Claims) -> QuerySet[RefreshFamily]:
    """The claims' family while it lives and they are its newest: the condition of the UPDATE."""
    active = User.objects.filter(pk=OuterRef("user_id"), is_active=True)
    return RefreshFamily.objects.filter(
        Exists(active),
        uid=claims.family,
        current_jti=jti_hash(claims.jti),
        revoked_at=None,
        expires_at__gt=Now(),
    )


def session_verify(*, token: str) -> None:
    """Raises TokenRevoked, TokenExpired or TokenNotValid unless the token could be used now."""
    claims = tokens.read(token, tokens.ACCESS, tokens.REFRESH)
    if claims.kind == tokens.ACCESS:
        usable = selectors.principal_of(family=claims.family) is not None
    else:
        usable = selectors.refresh_is_current(family=claims.family, jti=claims.jti)
    if not usable:
        raise TokenRevoked


def session_close(*, refresh: str) -> None:
    """Sign out: any refresh token of the family is proof enough, and twice is as good as once."""
    claims = tokens.read(refresh, tokens.REFRESH)
    session_end(family=claims.family, reason=Reason.LOGOUT)


def session_end(*, family: UUID, reason: str) -> None:
    """Revoke one family and its access tokens at once."""
    _revoke([family], reason)


@transactional
def sessions_end(*, user_id: int, reason: str) -> int:
    """Revoke every family of a user; returns how many were alive."""
    return _revoke(selectors.families_live(user_id=user_id), reason)


@transactional
def sessions_reload(*, user_id: int) -> None:
    """Have the user's role flags read anew: call it in the transaction that changes them."""
    families = selectors.families_live(user_id=user_id)
    store.doubt(families)
    transaction.on_commit(partial(store.doubt, families))


@transactional
def _revoke(families: Sequence[UUID], reason: str) -> int:
    store.doubt(families)
    ended = RefreshFamily.objects.filter(uid__in=families, revoked_at=None).update(
        revoked_at=Now(), revoked_reason=reason
    )
    transaction.on_commit(partial(store.bury, families))
    return ended


def families_forget() -> int:
    """Delete families that expired more than a day ago; returns how many."""
    old = RefreshFamily.objects.filter(expires_at__lt=Now() - KEEP_EXPIRED)
    return delete_in_batches(old, batch=FORGET_BATCH)


def browser_sessions_forget() -> int:
    """Delete the expired sessions of pages and the admin, which Django leaves where they are."""
    return delete_in_batches(Session.objects.filter(expire_date__lt=Now()), batch=FORGET_BATCH)

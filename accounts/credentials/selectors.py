"""Whom a mailed link speaks for."""

from accounts.credentials import tokens
from accounts.credentials.errors import LinkNotValid
from accounts.users.models import User
from common import clock


def owner(*, purpose: str, token: str) -> User:
    """The active user whose state the token was made for. Raises LinkNotValid."""
    uid, made_for = tokens.owner(purpose, token, now=clock.now())
    user = User.objects.filter(uid=uid, is_active=True).first()
    if user is None or not tokens.still(purpose, user, made_for):
        raise LinkNotValid
    return user


def unverified(*, user_id: int) -> User | None:
    """The user, if active and their address not yet verified."""
    found = User.objects.filter(pk=user_id, is_active=True, email_verified_at=None)
    return found.first()

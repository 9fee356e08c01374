"""Reads of user records."""

from django.db.models.functions import Lower

from accounts.users import rules
from accounts.users.models import User
from common.errors import NotFound


def user_get(*, user_id: int) -> User:
    """Raises NotFound."""
    user = User.objects.filter(pk=user_id).first()
    if user is None:
        raise NotFound
    return user


def user_find(*, identifier: str) -> User | None:
    """By e-mail or username, whatever the case; one query either way."""
    if "@" in identifier:
        email = rules.email_normalise(identifier)
        found = User.objects.filter(email=email)
        return found.first() if rules.identifier_plausible(email) else None
    if not rules.username_valid(identifier):
        return None
    # The expression of the unique index, so that the index is used.
    return User.objects.alias(key=Lower("username")).filter(key=identifier.lower()).first()

"""Reads of user records."""

from typing import Final

from django.db.models import Model
from django.db.models.functions import Lower

from accounts.users import rules
from accounts.users.models import User
from common.errors import NotFound

_PERMISSION: Final = ("content_type__app_label", "codename")
_POWERS: Final = {
    "groups": ("name",),
    "user_permissions": _PERMISSION,
    "permissions": _PERMISSION,
}


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


def powers(of: Model) -> dict[str, list[str]]:
    """What a user or a group may do, as far as other tables keep it: names, sorted."""
    found = {}
    for name, columns in _POWERS.items():
        if of.pk and hasattr(of, name):
            rows = getattr(of, name).values_list(*columns)
            found[name] = sorted(".".join(row) for row in rows)
    return found

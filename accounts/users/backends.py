"""Password sign-in by e-mail or username, for the API and the Django admin alike."""

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.hashers import make_password
from django.http import HttpRequest

from accounts.users import selectors
from accounts.users.models import User


class IdentifierBackend(ModelBackend):
    """None, after equal time, for an unknown user, a wrong password and an inactive user."""

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **kwargs: Any,
    ) -> User | None:
        identifier = username or kwargs.get("email")
        if identifier is None or password is None:
            return None
        user = selectors.user_find(identifier=identifier)
        if user is None:
            # The time of one hash, or a stopwatch tells which addresses are registered.
            make_password(password)
            return None
        allowed = user.check_password(password) and self.user_can_authenticate(user)
        return user if allowed else None

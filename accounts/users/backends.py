"""Password sign-in by e-mail or username, for the API and the Django admin alike."""

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.hashers import make_password
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from accounts.throttling import services as throttling
from accounts.users import rules, selectors
from accounts.users.models import User
from common.addresses import client_address
from common.errors import SoukError, Unauthorized


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
        # The API gives no request: it counts by itself, and answers 429.
        if request is None:
            return self._match(identifier, password)
        try:
            return self._match_counted(request, identifier, password)
        except SoukError as error:
            # The admin's form shows this as wrong credentials.
            raise PermissionDenied from error

    def _match_counted(self, request: HttpRequest, identifier: str, password: str) -> User:
        account = rules.identifier_normalise(identifier)
        with throttling.attempt("sign_in", account=account, address=client_address(request)):
            user = self._match(identifier, password)
            if user is None:
                raise Unauthorized
            return user

    def _match(self, identifier: str, password: str) -> User | None:
        user = selectors.user_find(identifier=identifier)
        if user is None:
            # The time of one hash, or a stopwatch tells which addresses are registered.
            make_password(password)
            return None
        allowed = user.check_password(password) and self.user_can_authenticate(user)
        return user if allowed else None

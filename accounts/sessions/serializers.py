"""Credentials and tokens as they cross the HTTP border."""

from typing import Any, ClassVar

from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from accounts.sessions import tokens
from accounts.users.rules import EMAIL_MAX
from accounts.users.serializers import PasswordField, UserOut
from common.api.serializers import StrictCharField, StrictSerializer


class TokenField(StrictCharField):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=tokens.MAX_LENGTH, **kwargs)


class CredentialsIn(StrictSerializer):
    """Exactly one of `email` and `username`; neither is checked for form, only looked up."""

    example: ClassVar = {
        "email": "sam@example.com",
        "password": "correct horse battery",  # nosec B105  # an example
    }

    email = StrictCharField(required=False, max_length=EMAIL_MAX)
    username = StrictCharField(required=False, max_length=EMAIL_MAX)
    password = PasswordField()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        given = [attrs[name] for name in ("email", "username") if name in attrs]
        if len(given) != 1:
            raise ValidationError({"email": "Give either email or username."}, code="required")
        return {"identifier": given[0], "password": attrs["password"]}


class RefreshIn(StrictSerializer):
    example: ClassVar = {"refresh": "eyJhbGciOiJIUzUxMiJ9.eyJ0eXBlIjoicmVmcmVzaCJ9.c2ln"}

    refresh = TokenField()


class VerifyIn(StrictSerializer):
    example: ClassVar = {
        "token": "eyJhbGciOiJIUzUxMiJ9.eyJ0eXBlIjoiYWNjZXNzIn0.c2ln",  # nosec B105  # an example
    }

    token = TokenField()


class PairOut(serializers.Serializer[Any]):
    access = serializers.CharField()
    refresh = serializers.CharField()


class RegisteredOut(PairOut):
    user = UserOut()


class Nothing(serializers.Serializer[Any]):
    """An empty object."""

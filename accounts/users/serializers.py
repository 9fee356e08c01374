"""The fields of a user that cross the HTTP border."""

from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.users import rules
from common.api.serializers import StrictCharField, StrictSerializer

PASSWORD_MAX = 128


@extend_schema_field({"type": "string", "format": "email", "maxLength": rules.EMAIL_MAX})
class EmailField(StrictCharField):
    """An e-mail address in its normalised form."""

    default_error_messages = {"invalid_email": "This is not an e-mail address."}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=rules.EMAIL_MAX, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        email = rules.email_normalise(super().to_internal_value(data))
        try:
            validate_email(email)
        except ValidationError:
            self.fail("invalid_email")
        return email


@extend_schema_field({"type": "string", "pattern": r"^[A-Za-z0-9._-]{3,30}$"})
class UsernameField(StrictCharField):
    default_error_messages = {
        "invalid_username": "3 to 30 letters, digits, dots, dashes, underscores."
    }

    def to_internal_value(self, data: Any) -> str:
        username = super().to_internal_value(data)
        if not rules.username_valid(username):
            self.fail("invalid_username")
        return username


class PasswordField(StrictCharField):
    """Kept as it is typed; bounded, since hashing costs time by length."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=PASSWORD_MAX, trim_whitespace=False, write_only=True, **kwargs)


class UserOut(serializers.Serializer[Any]):
    id = serializers.UUIDField(source="uid")
    email = serializers.EmailField()
    username = serializers.CharField()
    name = serializers.CharField()
    is_staff = serializers.BooleanField()
    email_verified = serializers.SerializerMethodField()

    def get_email_verified(self, user: Any) -> bool:
        return user.email_verified_at is not None


class RegisterIn(StrictSerializer):
    example: ClassVar = {
        "email": "sam@example.com",
        "password": "correct horse battery",  # nosec B105  # an example
    }

    email = EmailField()
    password = PasswordField()
    username = UsernameField(required=False)
    name = StrictCharField(required=False, allow_blank=True, max_length=rules.NAME_MAX)


class MeIn(StrictSerializer):
    example: ClassVar = {"username": "sam", "name": "Sam Lee"}

    username = UsernameField(required=False)
    name = StrictCharField(required=False, allow_blank=True, max_length=rules.NAME_MAX)

"""Passwords and link tokens as they cross the HTTP border."""

from typing import Any, ClassVar

from accounts.credentials import tokens
from accounts.users.serializers import EmailField, PasswordField
from common.api.serializers import StrictCharField, StrictSerializer


class LinkTokenField(StrictCharField):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=tokens.MAX_LENGTH, write_only=True, **kwargs)


class PasswordChangeIn(StrictSerializer):
    example: ClassVar = {
        "old_password": "correct horse battery",  # nosec B105  # an example
        "new_password": "staple battery horse",  # nosec B105  # an example
    }

    old_password = PasswordField()
    new_password = PasswordField()


class PasswordResetIn(StrictSerializer):
    example: ClassVar = {"email": "sam@example.com"}

    email = EmailField()


class PasswordResetConfirmIn(StrictSerializer):
    example: ClassVar = {
        "token": "c2Ft:1vN2yq:9XhT",  # nosec B105  # an example
        "new_password": "staple battery horse",  # nosec B105  # an example
    }

    token = LinkTokenField()
    new_password = PasswordField()


class EmailVerifyIn(StrictSerializer):
    example: ClassVar = {"token": "c2Ft:1vN2yq:9XhT"}  # nosec B105  # an example

    token = LinkTokenField()

"""Passwords and link tokens as they cross the HTTP border."""

from typing import Any

from accounts.credentials import tokens
from accounts.users.serializers import EmailField, PasswordField
from common.api.serializers import StrictCharField, StrictSerializer


class LinkTokenField(StrictCharField):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=tokens.MAX_LENGTH, write_only=True, **kwargs)


class PasswordChangeIn(StrictSerializer):
    old_password = PasswordField()
    new_password = PasswordField()


class PasswordResetIn(StrictSerializer):
    email = EmailField()


class PasswordResetConfirmIn(StrictSerializer):
    token = LinkTokenField()
    new_password = PasswordField()


class EmailVerifyIn(StrictSerializer):
    token = LinkTokenField()

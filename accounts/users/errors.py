"""Refusals about user records; each names its field in `errors`."""

from typing import ClassVar

from common.errors import Invalid


class _FieldError(Invalid):
    field: ClassVar[str]

    def __init__(self, *details: str) -> None:
        items = [
            {"field": self.field, "code": self.code, "detail": detail}
            for detail in details or (self.title,)
        ]
        super().__init__(items[0]["detail"], errors=items)


class EmailTaken(_FieldError):
    code = "email_taken"
    title = "This e-mail address is taken."
    field = "email"


class UsernameTaken(_FieldError):
    code = "username_taken"
    title = "This username is taken."
    field = "username"


class WeakPassword(_FieldError):
    code = "weak_password"
    title = "This password is too weak."
    field = "password"

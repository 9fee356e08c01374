"""Refusals about user records; each names its field in `errors`."""

from typing import ClassVar

from common.errors import Invalid


class FieldError(Invalid):
    """Several details are several items of `errors`; `field` where the body calls it otherwise."""

    field: ClassVar[str]

    def __init__(self, *details: str, field: str = "") -> None:
        items = [
            {"field": field or self.field, "code": self.code, "detail": detail}
            for detail in details or (self.title,)
        ]
        super().__init__(items[0]["detail"], errors=items)


class EmailTaken(FieldError):
    code = "email_taken"
    title = "This e-mail address is taken."
    field = "email"


class UsernameTaken(FieldError):
    code = "username_taken"
    title = "This username is taken."
    field = "username"


class WeakPassword(FieldError):
    code = "weak_password"
    title = "This password is too weak."
    field = "password"

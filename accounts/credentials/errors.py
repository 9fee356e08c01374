"""Why a new password or a mailed link is refused."""

from accounts.users.errors import FieldError


class WrongPassword(FieldError):
    code = "wrong_password"
    title = "This is not your password."
    field = "old_password"


class LinkNotValid(FieldError):
    """Alike for made-up, changed, expired and used ones."""

    code = "link_not_valid"
    title = "This link is not valid, or not any more."
    field = "token"

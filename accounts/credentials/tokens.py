"""The tokens in mailed links: signed, never stored.

A token names a user and a deadline, and carries a digest of the state it was made for. It is worth
nothing once that state has changed: the link that sets a password is made of the password's hash,
so setting one, by that link or otherwise, ends it and every other such link.
"""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.core.signing import BadSignature, Signer
from django.utils.crypto import constant_time_compare, salted_hmac

from accounts.credentials.errors import LinkNotValid
from accounts.users.models import User

RESET: Final = "accounts.credentials.reset"
VERIFY: Final = "accounts.credentials.verify"
MAX_LENGTH: Final = 512


def make(purpose: str, user: User, *, now: datetime, lifetime: timedelta) -> str:
    """A token for `purpose`, in URL-safe characters."""
    expires = int((now + lifetime).timestamp())
    claims = {"user": user.uid.hex, "until": expires, "state": state(purpose, user)}
    return Signer(salt=purpose).sign_object(claims)


def owner(purpose: str, token: str, *, now: datetime) -> tuple[UUID, str]:
    """Whose token it is, and the state it was made for. Raises LinkNotValid."""
    try:
        claims = Signer(salt=purpose).unsign_object(token)
    except (BadSignature, ValueError) as error:
        raise LinkNotValid from error
    if now.timestamp() >= claims["until"]:
        raise LinkNotValid
    return UUID(claims["user"]), claims["state"]


def still(purpose: str, user: User, made_for: str) -> bool:
    """Whether the user is as they were when the token was made."""
    return constant_time_compare(state(purpose, user), made_for)


def state(purpose: str, user: User) -> str:
    """The address that the mail went to; for a new password, the old one's hash as well."""
    parts = [user.email, user.password] if purpose == RESET else [user.email]
    return salted_hmac(purpose, "\n".join(parts), algorithm="sha256").hexdigest()

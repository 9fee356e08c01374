"""Signing and reading tokens: simplejwt's classes, this project's key, HS256 only.

Claims are `token_type`, `exp`, `iat`, `jti` and `fam` (the family's uid): nothing personal.
"""

import time
from datetime import timedelta
from typing import Final
from uuid import UUID

from django.conf import settings
from rest_framework_simplejwt.backends import TokenBackend
from rest_framework_simplejwt.exceptions import ExpiredTokenError, TokenError
from rest_framework_simplejwt.tokens import Token

from accounts.sessions.errors import TokenExpired, TokenNotValid
from accounts.sessions.rules import Claims, TokenPair

ACCESS: Final = "access"
REFRESH: Final = "refresh"
MAX_LENGTH: Final = 2048
# Access tokens that were genuine when they came last, by key and text: what they say and when that
# ends. Each token comes with every call of its owner, and its signature stays what it is. Whether
# its family lives is asked each time all the same.
_GENUINE: Final[dict[tuple[str, str], tuple[int, Claims]]] = {}
MOST_GENUINE: Final = 10_000


class _Signed(Token):
    def get_token_backend(self) -> TokenBackend:
        return TokenBackend("HS256", signing_key=settings.JWT_SIGNING_KEY)


class _Access(_Signed):
    token_type = ACCESS

    @property
    def lifetime(self) -> timedelta:  # type: ignore[override]  # read at call time, not at import
        return settings.ACCESS_TOKEN_LIFETIME


class _Refresh(_Signed):
    token_type = REFRESH

    @property
    def lifetime(self) -> timedelta:  # type: ignore[override]  # read at call time, not at import
        return settings.REFRESH_TOKEN_LIFETIME


class _Either(_Signed):
    token_type = "any"  # noqa: S105  # nosec B105  # a kind of token
    lifetime = timedelta(0)

    def verify_token_type(self) -> None:
        """`read` compares the type."""


def issue(family: UUID) -> tuple[TokenPair, str]:
    """A new pair of `family`, and the refresh token's id."""
    access, refresh = _Access(), _Refresh()
    access["fam"] = refresh["fam"] = str(family)
    return TokenPair(access=str(access), refresh=str(refresh)), refresh["jti"]


def read(encoded: str, *kinds: str) -> Claims:
    """The claims of a token of one of `kinds`; raises TokenExpired or TokenNotValid."""
    expires_at, claims = _GENUINE.get((settings.JWT_SIGNING_KEY, encoded), (0, None))
    if claims is None or expires_at <= time.time():
        claims = _verified(encoded)
    if claims.kind not in kinds:
        raise TokenNotValid
    return claims


def _verified(encoded: str) -> Claims:
    token = _decode(encoded)
    claims = _claims(token)
    if claims.kind == ACCESS:
        if len(_GENUINE) >= MOST_GENUINE:
            _GENUINE.clear()
        _GENUINE[settings.JWT_SIGNING_KEY, encoded] = int(token["exp"]), claims
    return claims


def _decode(encoded: str) -> _Either:
    # PyJWT parses the header before it checks the signature: deep nesting would be a 500.
    if len(encoded) > MAX_LENGTH or not encoded.isascii():
        raise TokenNotValid
    try:
        return _Either(encoded)  # type: ignore[arg-type]  # the stubs want a Token
    except ExpiredTokenError as error:
        raise TokenExpired from error
    except (TokenError, ValueError, RecursionError) as error:
        raise TokenNotValid from error


def _claims(token: _Either) -> Claims:
    try:
        return Claims(kind=token["token_type"], family=UUID(token["fam"]), jti=token["jti"])
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise TokenNotValid from error

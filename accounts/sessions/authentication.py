"""`Authorization: Bearer <access>` for the API."""

from typing import cast

from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.request import Request

from accounts.sessions import selectors, tokens
from accounts.sessions.errors import TokenExpired, TokenNotValid, TokenRevoked
from accounts.sessions.rules import Claims, Principal


class AccessTokenAuthentication(BaseAuthentication):
    """`request.user` becomes a Principal, `request.auth` the token's Claims."""

    # For the API's document: what any route can answer that looks at a token.
    refusals = (TokenNotValid, TokenExpired, TokenRevoked)

    def authenticate(self, request: Request) -> tuple[Principal, Claims] | None:
        parts = get_authorization_header(request).split()
        if not parts or parts[0].lower() != b"bearer":
            return None
        if len(parts) != 2:
            raise TokenNotValid
        claims = tokens.read(parts[1].decode("latin-1"), tokens.ACCESS)
        principal = selectors.principal_of(family=claims.family)
        if principal is None:
            raise TokenRevoked
        return principal, claims

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="api"'


def principal(request: Request) -> Principal:
    """`request.user` of a view that only the signed-in may call."""
    return cast(Principal, request.user)

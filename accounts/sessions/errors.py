"""Why a token or a sign-in is refused: all 401."""

from common.errors import Unauthorized


class InvalidCredentials(Unauthorized):
    """The same for an unknown user, a wrong password and an inactive user."""

    code = "invalid_credentials"
    title = "These credentials are not valid."


class TokenNotValid(Unauthorized):
    code = "token_not_valid"
    title = "This token is not valid here."


class TokenExpired(Unauthorized):
    code = "token_expired"
    title = "This token has expired."


class TokenRevoked(Unauthorized):
    """Its family was ended: logout, deactivation, a new password, or a reused token."""

    code = "token_revoked"
    title = "This session has ended."


class TokenReused(Unauthorized):
    code = "token_reused"
    title = "This refresh token was used before; its session has ended."

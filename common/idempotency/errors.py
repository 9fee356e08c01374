"""Refusals of an Idempotency-Key."""

from common.errors import Conflict, Invalid, Unprocessable


class BadKey(Invalid):
    code = "invalid_idempotency_key"
    title = "Idempotency-Key must be 1 to 255 visible ASCII characters."


class KeyInUse(Conflict):
    code = "idempotency_key_in_use"
    title = "A request with this Idempotency-Key is still running."


class KeyReused(Unprocessable):
    code = "idempotency_key_reused"
    title = "This Idempotency-Key was used with another body."

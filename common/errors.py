"""What may be wrong, as exceptions that carry what the client is told.

    SoukError
    ├── Invalid            400
    ├── Unauthorized       401
    ├── PaymentRefused     402
    ├── Forbidden          403
    ├── NotFound           404
    ├── Conflict           409
    │   └── InvalidTransition
    ├── TooLarge           413
    ├── Unprocessable      422
    ├── TooManyRequests    429
    └── Busy               503

Features subclass these in their `errors.py` and set `code`, which is stable and machine-readable.
Nothing here knows HTTP beyond the status number; `common.api.problems` renders them.
"""

from collections.abc import Sequence
from typing import Any, ClassVar


class SoukError(Exception):
    """Base of all expected refusals. `extra` is merged into the problem document."""

    status: ClassVar[int] = 500
    code: str = "error"
    title: ClassVar[str] = "Something went wrong."

    def __init__(
        self,
        detail: str = "",
        *,
        code: str | None = None,
        errors: Sequence[dict[str, Any]] = (),
        retry_after: int | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.code = code or self.code
        self.errors = list(errors)
        self.retry_after = retry_after
        self.extra = extra


class Invalid(SoukError):
    status = 400
    code = "invalid"
    title = "The request is not valid."


class FieldRefused(Invalid):
    """A 400 about one field, in the shape that serializers give."""

    field: str

    def __init__(self, field: str = "") -> None:
        name = field or self.field
        item = {"field": name, "code": self.code, "detail": self.title}
        super().__init__(f"{name}: {self.title}", errors=[item])


class Unauthorized(SoukError):
    status = 401
    code = "not_authenticated"
    title = "Valid credentials are needed."


class PaymentRefused(SoukError):
    status = 402
    code = "payment_refused"
    title = "The payment was refused."


class Forbidden(SoukError):
    status = 403
    code = "permission_denied"
    title = "This is not allowed."


class NotFound(SoukError):
    status = 404
    code = "not_found"
    title = "Not found."


class Conflict(SoukError):
    status = 409
    code = "conflict"
    title = "The current state does not allow this."


class InvalidTransition(Conflict):
    """A refused change of state; names the state it is in and the one that was asked for."""

    code = "invalid_transition"

    def __init__(self, what: str, current: str, wanted: str) -> None:
        super().__init__(
            f"The {what} is {current} and cannot become {wanted}.", current=current, wanted=wanted
        )


class TooLarge(SoukError):
    status = 413
    code = "too_large"
    title = "The body is too large."


class Unprocessable(SoukError):
    status = 422
    code = "unprocessable"
    title = "The request is understood but cannot be carried out."


class TooManyRequests(SoukError):
    status = 429
    code = "throttled"
    title = "Too many requests."


class Busy(SoukError):
    status = 503
    code = "busy"
    title = "Too much is going on; try again shortly."

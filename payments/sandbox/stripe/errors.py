"""Stripe's errors: one exception, and a constructor for each refusal.

    StripeError
    ├── invalid()          400 invalid_request_error (404 through missing_object)
    ├── card_error()       402 card_error
    ├── unauthenticated()  401 invalid_request_error
    └── idempotency()      400 / 409 idempotency_error

Source: https://docs.stripe.com/api/errors and https://docs.stripe.com/error-codes
"""

from typing import Any

JSON = dict[str, Any]


class StripeError(Exception):
    """A refusal as Stripe words it.

    `keep_work`: what the call wrote is committed all the same (a declined card leaves a
    failed charge). `stored`: the answer is kept under the idempotency key; Stripe keeps none
    for a call whose parameters fail before execution begins.
    """

    def __init__(
        self, status: int, type_: str, message: str, *, keep_work: bool = False, stored: bool = True
    ) -> None:
        super().__init__(message)
        self.status = status
        self.body: JSON = {"message": message, "type": type_}
        self.keep_work = keep_work
        self.stored = stored

    def with_fields(self, **fields: Any) -> "StripeError":
        """The same error with `code`, `param` and the like; None leaves a field out."""
        self.body.update({name: value for name, value in fields.items() if value is not None})
        if code := self.body.get("code"):
            self.body["doc_url"] = f"https://stripe.com/docs/error-codes/{code.replace('_', '-')}"
        return self

    def answer(self, request_id: str) -> JSON:
        """The body on the wire: `{"error": {...}}`."""
        log = f"https://dashboard.stripe.com/test/logs/{request_id}"
        return {"error": {**self.body, "request_log_url": log}}


def invalid(
    message: str, *, code: str | None = None, param: str | None = None, stored: bool = True
) -> StripeError:
    error = StripeError(400, "invalid_request_error", message, stored=stored)
    return error.with_fields(code=code, param=param)


def unknown_parameter(name: str) -> StripeError:
    message = f"Received unknown parameter: {name}"
    return invalid(message, code="parameter_unknown", param=name, stored=False)


def missing_parameter(name: str) -> StripeError:
    message = f"Missing required param: {name}."
    return invalid(message, code="parameter_missing", param=name, stored=False)


def invalid_integer(message: str, name: str) -> StripeError:
    return invalid(message, code="parameter_invalid_integer", param=name, stored=False)


def missing_object(kind: str, id_: str, *, param: str, status: int = 404) -> StripeError:
    """404 for an id in the path, 400 for one in the parameters."""
    error = StripeError(status, "invalid_request_error", f"No such {kind}: '{id_}'")
    return error.with_fields(code="resource_missing", param=param)


def unexpected_state(message: str, intent: JSON) -> StripeError:
    """A step the intent's status does not allow; the intent is inside the error."""
    error = invalid(message, code="payment_intent_unexpected_state")
    return error.with_fields(payment_intent=intent)


def card_error(message: str, code: str, **fields: Any) -> StripeError:
    error = StripeError(402, "card_error", message, keep_work=True)
    return error.with_fields(code=code, **fields)


def unauthenticated(message: str) -> StripeError:
    return StripeError(401, "invalid_request_error", message, stored=False)


def unknown_url(method: str, path: str) -> StripeError:
    message = f"Unrecognized request URL ({method}: {path}). See https://stripe.com/docs."
    return StripeError(404, "invalid_request_error", message, stored=False)


def other_parameters(key: str) -> StripeError:
    message = (
        "Keys for idempotent requests can only be used with the same parameters they were first "
        f"used with. Try using a key other than '{key}' if you meant to execute a different "
        "request."
    )
    return StripeError(400, "idempotency_error", message, stored=False)


def other_endpoint(key: str, path: str, first_path: str) -> StripeError:
    message = (
        "Keys for idempotent requests can only be used for the same endpoint they were first used "
        f"for ('{path}' vs '{first_path}'). Try using a key other than '{key}' if you meant to "
        "execute a different request."
    )
    return StripeError(400, "idempotency_error", message, stored=False)


def key_in_use(key: str) -> StripeError:
    message = (
        "There is currently another in-progress request using this Idempotent Key (that probably "
        "means you submitted twice, and the other request is still going through): "
        f"{key}. Please try again later."
    )
    error = StripeError(409, "idempotency_error", message, stored=False)
    return error.with_fields(code="idempotency_key_in_use")

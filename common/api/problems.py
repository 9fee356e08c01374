"""Every error as `application/problem+json` (RFC 9457)."""

from collections.abc import Iterator
from typing import Any, Final

from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.db import OperationalError
from django.http import Http404, HttpRequest, JsonResponse
from rest_framework import exceptions, status
from rest_framework.response import Response

from common import errors
from common.db import is_away, is_retryable

CONTENT_TYPE: Final = "application/problem+json"
TYPE_BASE: Final = "urn:souk:problem:"
# DRF's own words would repeat what was sent, and people send secrets to the wrong field.
_WORDS: Final = {"invalid_choice": "This is not one of the choices."}


def problem(error: errors.SoukError, instance: str) -> dict[str, Any]:
    """The problem document: type, title, status, detail, code, instance, errors, and extras."""
    return {
        **error.extra,
        "type": TYPE_BASE + error.code,
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "code": error.code,
        "instance": instance,
        "errors": error.errors,
    }


def handle(exc: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's exception handler. None (a bug) goes on to Django's own 500 handling."""
    error = translate(exc)
    if error is None:
        return None
    response = Response(
        problem(error, context["request"].path), status=error.status, content_type=CONTENT_TYPE
    )
    for name, value in headers(error, exc).items():
        response[name] = value
    return response


def headers(error: errors.SoukError, exc: Exception) -> dict[str, str]:
    found = {}
    if error.retry_after is not None:
        found["Retry-After"] = str(error.retry_after)
    if error.status == status.HTTP_401_UNAUTHORIZED:
        found["WWW-Authenticate"] = 'Bearer realm="api"'
    if error.status == status.HTTP_405_METHOD_NOT_ALLOWED:
        allow = getattr(exc, "allow", "")
        found.update({"Allow": allow} if allow else {})
    return found


def translate(exc: Exception) -> errors.SoukError | None:
    """Any expected exception as one of ours."""
    if isinstance(exc, errors.SoukError):
        return exc
    if isinstance(exc, exceptions.ValidationError):
        return _validation(exc)
    if isinstance(exc, Http404 | exceptions.NotFound):
        return errors.NotFound()
    if isinstance(exc, PermissionDenied | exceptions.PermissionDenied):
        return errors.Forbidden()
    if isinstance(exc, exceptions.NotAuthenticated | exceptions.AuthenticationFailed):
        return errors.Unauthorized(code=str(exc.get_codes()))
    if isinstance(exc, exceptions.Throttled):
        return errors.TooManyRequests(retry_after=max(1, int(getattr(exc, "wait", None) or 1)))
    if isinstance(exc, RequestDataTooBig):
        return errors.TooLarge()
    if isinstance(exc, OperationalError) and (is_retryable(exc) or is_away(exc)):
        return errors.Busy(retry_after=1)
    return _api_exception(exc) if isinstance(exc, exceptions.APIException) else None


def _api_exception(exc: exceptions.APIException) -> errors.SoukError:
    class Other(errors.SoukError):
        status = exc.status_code
        title = str(exc.default_detail)

    return Other(str(exc.detail), code=str(exc.get_codes()))


def _validation(exc: exceptions.ValidationError) -> errors.SoukError:
    found = list(_flatten(exc.get_full_details(), ""))
    codes = {item["code"] for item in found}
    # One kind of mistake gives the document its own code; several are just "invalid".
    code = codes.pop() if len(codes) == 1 else "invalid"
    first = found[0]
    detail = f"{first['field']}: {first['detail']}" if first["field"] else first["detail"]
    return errors.Invalid(detail, code=code, errors=found)


def _flatten(details: Any, path: str) -> Iterator[dict[str, str]]:
    if isinstance(details, dict) and set(details) == {"message", "code"}:
        code = str(details["code"])
        yield {"field": path, "code": code, "detail": _WORDS.get(code) or str(details["message"])}
    elif isinstance(details, dict):
        for name, value in details.items():
            yield from _flatten(value, _step(path, name))
    else:
        yield from _flatten_list(details, path)


def _step(path: str, name: str | int) -> str:
    # Errors of a list come keyed by position: `lines[0].quantity`.
    if isinstance(name, int):
        return f"{path}[{name}]"
    return ".".join(filter(None, (path, "" if name == "non_field_errors" else name)))


def _flatten_list(details: list[Any], path: str) -> Iterator[dict[str, str]]:
    leaves = all(isinstance(item, dict) and set(item) == {"message", "code"} for item in details)
    for index, item in enumerate(details):
        yield from _flatten(item, path if leaves else f"{path}[{index}]")


def plain(error: errors.SoukError, request: HttpRequest) -> JsonResponse:
    """A problem document outside DRF: middleware and Django's own error handlers."""
    response = JsonResponse(
        problem(error, request.path), status=error.status, content_type=CONTENT_TYPE
    )
    for name, value in headers(error, error).items():
        response[name] = value
    return response

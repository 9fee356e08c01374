"""Django's own error pages, as problem documents."""

from typing import Any

from django.http import HttpRequest, HttpResponse

from common import errors
from common.api import problems


class ServerError(errors.SoukError):
    status = 500
    code = "server_error"


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return problems.plain(errors.NotFound(), request)


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    error = problems.translate(exception) if exception else None
    return problems.plain(error or errors.Invalid(), request)


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return problems.plain(errors.Forbidden(), request)


def server_error(request: HttpRequest, *_: Any) -> HttpResponse:
    return problems.plain(ServerError(), request)

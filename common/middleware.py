"""Request id, body limit and JSON errors for what never reaches DRF."""

from collections.abc import Callable
from typing import Final

from django.http import HttpRequest, HttpResponseBase

from common import context, errors
from common.api import problems
from common.api.parsers import MAX_BODY

MAX_UPLOAD: Final = 20 * 1024 * 1024
# Served as they are; a browser may keep them.
FILES: Final = ("/static/", "/media/")
GetResponse = Callable[[HttpRequest], HttpResponseBase]


def request_id(get_response: GetResponse) -> GetResponse:
    """Give every request an id, its caller's where well-formed, and answer with it."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        identifier = context.new_request_id(request.headers.get("X-Request-ID"))
        token = context.request_id.set(identifier)
        try:
            response = get_response(request)
        finally:
            context.request_id.reset(token)
        response["X-Request-ID"] = identifier
        return response

    return middleware


def body_limit(get_response: GetResponse) -> GetResponse:
    """Refuse a large body by its declared length, before any of it is read."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        declared = request.META.get("CONTENT_LENGTH") or "0"
        upload = (request.content_type or "").startswith("multipart/")
        limit = MAX_UPLOAD if upload else MAX_BODY
        if not declared.isdigit() or int(declared) > limit:
            return problems.plain(errors.TooLarge(), request)
        return get_response(request)

    return middleware


def no_store(get_response: GetResponse) -> GetResponse:
    """Keep answers out of every cache, unless a view says otherwise: most are somebody's own."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        if not request.path.startswith(FILES):
            response.headers.setdefault("Cache-Control", "no-store")
        return response

    return middleware

"""Conditional GET: a caller who has the answer already is told so in a few bytes."""

import functools
import hashlib
from collections.abc import Callable
from typing import Any

from django.http import HttpResponse, HttpResponseBase
from django.utils.cache import get_conditional_response, patch_vary_headers
from rest_framework.request import Request
from rest_framework.response import Response

from common import shelf

Get = Callable[..., HttpResponseBase]


class Revalidated:
    """For views of `ApiView` whose GET is the same for everybody, or for all who are signed in.

    Each answer may be kept and must be asked about every time: prices and stock change at any
    moment. The ETag is weak, since a proxy may compress the body, and comes from the body itself,
    so that it can never be the same for two answers that differ.
    """

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        made: HttpResponse = super().finalize_response(request, response, *args, **kwargs)  # type: ignore[misc]
        if request.method not in ("GET", "HEAD") or made.status_code != 200:
            return made
        made["Cache-Control"] = f"{'private' if request.user.pk else 'public'}, no-cache"
        # A member's prices are not a visitor's.
        patch_vary_headers(made, ["Authorization"])
        if isinstance(made, Response):
            made.add_post_render_callback(lambda done: _compared(request, done))
            return made
        return _answered(request, made)


def shelved(get: Get) -> Get:
    """A `get` whose answer is kept for a moment, for all who are signed in or all who are not.

    Only an answer of 200 is kept, so that a query that is found was a good one.
    """

    @functools.wraps(get)
    def wrapper(self: Any, request: Request, *args: Any, **kwargs: Any) -> HttpResponseBase:
        key = (request.build_absolute_uri(), request.user.is_authenticated)
        if found := shelf.find(key):
            kept = HttpResponse(found.body, content_type="application/json")
            kept["ETag"] = found.etag
            # Whoever keeps it for a moment as well has to know that it is not of this one.
            kept["Age"] = str(int(found.age))
            return kept
        opened = shelf.opened()
        response = get(self, request, *args, **kwargs)
        if isinstance(response, Response) and response.status_code == 200:
            response.add_post_render_callback(
                lambda made: shelf.keep(key, made.content, _etag(made), opened=opened)
            )
        return response

    return wrapper


def _etag(response: HttpResponse) -> str:
    return f'W/"{hashlib.blake2b(response.content, digest_size=16).hexdigest()}"'


def _compared(request: Request, response: HttpResponse) -> HttpResponseBase:
    response["ETag"] = _etag(response)
    return _answered(request, response)


def _answered(request: Request, response: HttpResponse) -> HttpResponseBase:
    # Keeps Vary, Cache-Control and ETag in a 304.
    found = get_conditional_response(request._request, etag=response["ETag"], response=response)
    return found or response

"""Conditional GET: a caller who has the answer already is told so in a few bytes."""

import hashlib
from typing import Any

from django.http import HttpResponseBase
from django.utils.cache import get_conditional_response, patch_vary_headers
from rest_framework.request import Request
from rest_framework.response import Response


class Revalidated:
    """For views of `ApiView` whose GET is the same for everybody, or for all who are signed in.

    Each answer may be kept and must be asked about every time: prices and stock change at any
    moment. The ETag is weak, since a proxy may compress the body, and comes from the body itself,
    so that it can never be the same for two answers that differ.
    """

    def finalize_response(
        self, request: Request, response: Response, *args: Any, **kwargs: Any
    ) -> Response:
        made: Response = super().finalize_response(request, response, *args, **kwargs)  # type: ignore[misc]
        if request.method in ("GET", "HEAD") and made.status_code == 200:
            _keepable(request, made)
        return made


def _keepable(request: Request, response: Response) -> None:
    response["Cache-Control"] = f"{'private' if request.user.pk else 'public'}, no-cache"
    # A member's prices are not a visitor's.
    patch_vary_headers(response, ["Authorization"])
    response.add_post_render_callback(lambda made: _compared(request, made))


def _compared(request: Request, response: Any) -> HttpResponseBase | None:
    digest = hashlib.blake2b(response.content, digest_size=16).hexdigest()
    response["ETag"] = f'W/"{digest}"'
    # Keeps Vary, Cache-Control and ETag in a 304.
    return get_conditional_response(request._request, etag=response["ETag"], response=response)

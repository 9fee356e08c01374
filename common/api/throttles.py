"""Rate limits: by address before anything is done, by user once it is known who asks."""

from typing import Any, Final

from django.http import HttpRequest, HttpResponseBase
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from common import errors
from common.addresses import bucket, client_address
from common.api import problems
from common.limits import services
from common.limits.rules import Count, scope_of, tightest
from common.middleware import GetResponse

# Where a request keeps its scope and its counts.
_SCOPE: Final = "souk.rate.scope"
_COUNTS: Final = "souk.rate.counts"


class AddressLimit:
    """Middleware: one count for the caller's address, and on every answer what is left."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        counts = request.META.get(_COUNTS)
        if counts:
            _tell(response, tightest(counts))
        return response

    def process_view(self, request: HttpRequest, view: Any, *_: Any) -> HttpResponseBase | None:
        scope = request.META[_SCOPE] = _scope(request, view)
        if scope is None:
            return None
        count = _spend(request, scope, "address", bucket(client_address(request)))
        if count is None or not count.refused:
            return None
        return problems.plain(errors.TooManyRequests(retry_after=count.resets_in), request)


class UserLimit(BaseThrottle):
    """The default throttle of every API view: a signed-in user's own count."""

    count: Count | None = None

    def allow_request(self, request: Request, view: Any) -> bool:
        scope = request.META.get(_SCOPE)
        if scope is None or not request.user.is_authenticated:
            return True
        self.count = _spend(request._request, scope, "user", str(request.user.pk))
        return self.count is None or not self.count.refused

    def wait(self) -> float | None:
        return self.count.resets_in if self.count else None


def _scope(request: HttpRequest, view: Any) -> str | None:
    method = request.method or "GET"
    handler = getattr(getattr(view, "view_class", None), method.lower(), None)
    keyed = getattr(handler, "honours_idempotency_key", False)
    return scope_of(request.path, method, keyed=keyed)


def _spend(request: HttpRequest, scope: str, kind: str, who: str) -> Count | None:
    count = services.spend(scope, kind, who)
    if count is not None:
        request.META.setdefault(_COUNTS, []).append(count)
    return count


def _tell(response: HttpResponseBase, count: Count) -> None:
    response["RateLimit-Limit"] = str(count.limit)
    response["RateLimit-Remaining"] = str(count.remaining)
    response["RateLimit-Reset"] = str(count.resets_in)

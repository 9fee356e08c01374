"""Request id, log line, body limit and JSON errors for what never reaches DRF."""

import logging
import time
from collections.abc import Callable
from typing import Any, Final

from csp.constants import HEADER
from csp.middleware import CSPMiddleware
from csp.utils import build_policy
from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from django.utils.functional import SimpleLazyObject

from common import context, errors, metrics, tracing
from common.api import problems
from common.api.parsers import MAX_BODY

MAX_UPLOAD: Final = 20 * 1024 * 1024
# Served as they are; a browser may keep them.
FILES: Final = ("/static/", "/media/")
METHODS: Final = {"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"}
# Asked every few seconds by machines.
PROBES: Final = {"/livez", "/readyz", "/metrics"}

logger = logging.getLogger("souk.request")

GetResponse = Callable[[HttpRequest], HttpResponseBase]


def request_id(get_response: GetResponse) -> GetResponse:
    """Give every request an id, its caller's where well-formed, answer with it, and log a line."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        identifier = context.new_request_id(request.headers.get("X-Request-ID"))
        token, started = context.request_id.set(identifier), time.monotonic()
        try:
            with tracing.span("request", method=_method(request)):
                response = get_response(request)
            _tell(request, response.status_code, time.monotonic() - started)
        finally:
            context.request_id.reset(token)
        response["X-Request-ID"] = identifier
        return response

    return middleware


def _method(request: HttpRequest) -> str:
    return str(request.method) if request.method in METHODS else "other"


def _tell(request: HttpRequest, status: int, seconds: float) -> None:
    """A line in the log, and one more in the metrics."""
    # The route, not the path: ids and whatever else a caller writes into a path stay out.
    match = request.resolver_match
    route, method = f"/{match.route}" if match else "none", _method(request)
    metrics.REQUESTS.labels(method, route, status).observe(seconds)
    logger.log(
        logging.DEBUG if request.path in PROBES else logging.INFO,
        "request",
        extra={
            "method": method,
            "route": route,
            "status": status,
            "duration_ms": round(seconds * 1000, 1),
            "user": _user_uid(request),
        },
    )


def _user_uid(request: HttpRequest) -> str | None:
    user = getattr(request, "user", None)
    if isinstance(user, SimpleLazyObject):
        # A session's user, as far as the view has asked for it: a log line costs no query.
        user = getattr(request, "_cached_user", None)
    uid = getattr(user, "uid", None)
    return str(uid) if uid else None


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


class ContentSecurity(CSPMiddleware):
    """django-csp, but with the policy of most answers made once: all that use no nonce and ask for
    nothing of their own have the same, and to write it takes longer than to read a session.
    """

    _made: tuple[dict[str, Any], str] | None = None

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        asked = any(name.startswith("_csp_") for name in (*vars(request), *vars(response)))
        if asked or HEADER in response or not self._is_all():
            return super().process_response(request, response)
        response[HEADER] = self._policy()
        return response

    def _is_all(self) -> bool:
        """Whether the settings ask for one policy of all paths, and for nothing else."""
        more = settings.DEBUG or hasattr(settings, "CONTENT_SECURITY_POLICY_REPORT_ONLY")
        return not more and settings.CONTENT_SECURITY_POLICY.keys() == {"DIRECTIVES"}

    def _policy(self) -> str:
        # By identity: tests put other settings in its place.
        directives = settings.CONTENT_SECURITY_POLICY["DIRECTIVES"]
        if self._made is None or self._made[0] is not directives:
            self._made = directives, build_policy()
        return self._made[1]

"""In front of Django: who asks for units of a sale that has not started, is sold out, or over.

Answers only what the view would answer as well: a signed-in buyer's well-formed call without an
Idempotency-Key. Everything else goes on. What it tells is public (the stock, the start), so that a
session that has just ended may hear it too; it is not counted against rate limits, and no line is
logged.
"""

import io
import json
import re
from collections.abc import Callable, Iterable
from typing import Any, Final

from django.conf import settings

from accounts.sessions import tokens
from common import context, metrics
from common.api import problems
from common.errors import SoukError
from payments.intake.ports import gateways
from shop.flash_sales import services as flash_sales
from shop.flash_sales.rules import MAX_ALLOCATION

Start = Callable[..., Any]
Application = Callable[[dict[str, Any], Start], Iterable[bytes]]

_PATH: Final = re.compile(r"/api/v1/flash-sales/([-a-zA-Z0-9_]+)/purchases/")
_MOST_BYTES: Final = 1024
_STATUS: Final = {409: "409 Conflict"}


def guard(application: Application) -> Application:
    def guarded(environ: dict[str, Any], start_response: Start) -> Iterable[bytes]:
        refusal = _refusal(environ) if environ["REQUEST_METHOD"] == "POST" else None
        if refusal is None:
            return application(environ, start_response)
        return _answer(refusal, environ, start_response)

    return guarded


def _refusal(environ: dict[str, Any]) -> SoukError | None:
    found = _PATH.fullmatch(environ.get("PATH_INFO", ""))
    if found is None or not _is_plain(environ):
        return None
    known = flash_sales.refusal_known(found[1])
    if known is None or not _is_signed_in(environ):
        return None
    wanted = _quantity(_body(environ))
    if wanted is None:
        return None
    return known.told(wanted)


def _is_plain(environ: dict[str, Any]) -> bool:
    """Nothing that Django would have to decide: a key to replay, another site's browser."""
    foreign = "HTTP_ORIGIN" in environ and settings.CORS_ALLOWED_ORIGINS
    length = environ.get("CONTENT_LENGTH") or ""
    small = length.isdigit() and int(length) <= _MOST_BYTES
    json_sent = environ.get("CONTENT_TYPE", "").startswith("application/json")
    return small and json_sent and not foreign and "HTTP_IDEMPOTENCY_KEY" not in environ


def _is_signed_in(environ: dict[str, Any]) -> bool:
    scheme, _, token = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    if scheme.lower() != "bearer":
        return False
    try:
        tokens.read(token, tokens.ACCESS)
    except SoukError:
        return False
    return True


def _body(environ: dict[str, Any]) -> bytes:
    """The whole body, which the view will find there as well."""
    body: bytes = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    environ["wsgi.input"] = io.BytesIO(body)
    return body


def _quantity(body: bytes) -> int | None:
    """How many units a body asks for; None where the view has to look at it."""
    try:
        found = json.loads(body)
        quantity, method = found["quantity"], found["payment"]["method"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    whole = len(found) == 2 and len(found["payment"]) == 1 and type(quantity) is int
    known = isinstance(method, str) and method in gateways()
    return quantity if whole and known and 1 <= quantity <= MAX_ALLOCATION else None


def _answer(refusal: SoukError, environ: dict[str, Any], start: Start) -> list[bytes]:
    metrics.RUSH.labels(refusal.code).inc()
    body = json.dumps(problems.problem(refusal, environ["PATH_INFO"])).encode()
    headers = [
        ("Content-Type", problems.CONTENT_TYPE),
        ("Content-Length", str(len(body))),
        ("Cache-Control", "no-store"),
        ("X-Content-Type-Options", "nosniff"),
        ("X-Request-ID", context.new_request_id(environ.get("HTTP_X_REQUEST_ID"))),
    ]
    start(_STATUS[refusal.status], headers)
    return [body]

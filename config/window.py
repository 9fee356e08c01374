"""In front of Django: a visitor who looks at the catalogue sees what the last one was shown.

Only of the moment for which `common.shelf` keeps an answer, only for callers who have said nothing
of themselves, and word for word what Django answered to the same address. Such a call costs
no look at Redis or MySQL; so it is not counted against rate limits, and no line is logged.
"""

from collections.abc import Callable, Hashable, Iterable
from typing import Any, Final

from common import context, metrics, shelf

Start = Callable[..., Any]
Application = Callable[[dict[str, Any], Start], Iterable[bytes]]

_PATHS: Final = ("/api/v1/products/", "/api/v1/categories/")
# Whoever sends one of these may be answered otherwise.
_PERSONAL: Final = ("HTTP_AUTHORIZATION", "HTTP_COOKIE", "HTTP_ORIGIN")
# What an answer may depend on: visitors send none of the first three, and the key has the last.
_VARY: Final = {"authorization", "cookie", "origin", "accept"}
# What the address of an answer is made of, which has links in it.
_ADDRESS: Final = (
    *("PATH_INFO", "QUERY_STRING", "wsgi.url_scheme", "HTTP_HOST", "SERVER_PORT", "HTTP_ACCEPT"),
    *("HTTP_X_FORWARDED_PROTO", "HTTP_X_FORWARDED_HOST", "HTTP_X_FORWARDED_PORT"),
)
_OF_BODIES: Final = {"Content-Length", "Content-Type"}
# Of the one call that Django answered.
_ONES_OWN: Final = {"x-request-id", "ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"}


def window(application: Application) -> Application:
    def shown(environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        key = _key(environ)
        if key is None:
            return application(environ, start)
        opened, kept = shelf.opened(), shelf.find(key)
        if kept is not None:
            metrics.WINDOW.inc()
            return _show(kept, environ, start)
        return _asked(application, key, opened, environ, start)

    return shown


def _key(environ: dict[str, Any]) -> Hashable | None:
    plain = environ["REQUEST_METHOD"] == "GET" and environ["PATH_INFO"].startswith(_PATHS)
    if not plain or any(name in environ for name in _PERSONAL):
        return None
    return tuple(environ.get(name, "") for name in _ADDRESS)


def _asked(
    application: Application, key: Hashable, opened: int, environ: dict[str, Any], start: Start
) -> Iterable[bytes]:
    """Django's answer, kept on its way out where it may be."""
    seen: list[Any] = []
    # With the caller's own ETag it would be an empty 304, and nobody else's answer.
    whole = {name: value for name, value in environ.items() if name != "HTTP_IF_NONE_MATCH"}
    answer = application(whole, lambda *parts: seen.append(parts))
    try:
        body = b"".join(answer)
    finally:
        getattr(answer, "close", _nothing)()
    status, headers = seen[-1][:2]
    made = _kept(status, headers, body)
    if made is None:
        start(status, headers)
        return [body]
    shelf.keep(key, body, made.etag, opened=opened, headers=made.headers)
    return _tell(made.etag, headers, body, environ, start)


def _nothing() -> None:
    """For answers that have nothing to close."""


def _kept(status: str, headers: shelf.Headers, body: bytes) -> shelf.Kept | None:
    """None for what is not the same for every visitor."""
    found = {name.lower(): value for name, value in headers}
    vary = {name.strip().lower() for name in found.get("vary", "").split(",") if name.strip()}
    public = "public" in found.get("cache-control", "") and vary <= _VARY
    if not (status.startswith("200") and public and "etag" in found and "set-cookie" not in found):
        return None
    if "age" in found:  # kept behind the window: kept here too, it would be shown twice as long
        return None
    lasting = [(name, value) for name, value in headers if name.lower() not in _ONES_OWN]
    return shelf.Kept(body, found["etag"], lasting, 0.0, 0.0)


def _show(kept: shelf.Kept, environ: dict[str, Any], start: Start) -> list[bytes]:
    request_id = context.new_request_id(environ.get("HTTP_X_REQUEST_ID"))
    headers = [*kept.headers, ("X-Request-ID", request_id)]
    return _tell(kept.etag, headers, kept.body, environ, start)


def _tell(
    etag: str, headers: shelf.Headers, body: bytes, environ: dict[str, Any], start: Start
) -> list[bytes]:
    if etag not in environ.get("HTTP_IF_NONE_MATCH", ""):
        start("200 OK", headers)
        return [body]
    start("304 Not Modified", [each for each in headers if each[0] not in _OF_BODIES])
    return []

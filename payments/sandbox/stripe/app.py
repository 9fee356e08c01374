"""The WSGI application: the API, the sandbox's controls, the bank's page, the health check."""

import ipaddress
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from payments.sandbox.stripe import controls, errors, pages
from payments.sandbox.stripe.controls import Controls
from payments.sandbox.stripe.engine import Engine
from payments.sandbox.stripe.http import MAX_BODY, HangUp, Request, Response, json_response

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

log = logging.getLogger(__name__)


@dataclass
class App:
    """A WSGI application. Raises HangUp where a fault closes the connection unanswered."""

    engine: Engine
    controls: Controls
    open_controls: bool = False

    def __call__(self, environ: "WSGIEnvironment", start: "StartResponse") -> Iterable[bytes]:
        answer = self.answer(_request(environ))
        line = f"{answer.status} {HTTPStatus(answer.status).phrase}"
        headers = {"Content-Type": answer.content_type, **answer.headers}
        start(line, [*headers.items(), ("Content-Length", str(len(answer.body)))])
        return [answer.body]

    def answer(self, request: Request) -> Response:
        try:
            return self._route(request)
        except HangUp:
            raise
        except Exception:
            log.exception("stripe sandbox: %s %s failed", request.method, request.path)
            error = errors.StripeError(500, "api_error", "The sandbox failed; see its log.")
            return json_response(500, error.answer(""))

    def _route(self, request: Request) -> Response:
        if request.path == "/healthz":
            return json_response(200, {"status": "ok"})
        if len(request.body) > MAX_BODY:
            return json_response(413, errors.invalid("Request too large.").answer(""))
        if request.path.startswith("/_sandbox/"):
            return self._control(request)
        if request.path.startswith(pages.PREFIX):
            return pages.answer(self.controls, request)
        return self.engine.answer(request)

    def _control(self, request: Request) -> Response:
        if self.open_controls or _is_loopback(request.client):
            return controls.answer(self.controls, request)
        error = errors.StripeError(403, "invalid_request_error", "Loopback only.")
        return json_response(403, error.answer(""))


def _is_loopback(client: str) -> bool:
    try:
        address = ipaddress.ip_address(client)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def _request(environ: "WSGIEnvironment") -> Request:
    length = environ.get("CONTENT_LENGTH") or "0"
    size = min(int(length), MAX_BODY + 1) if length.isdigit() else 0
    host = environ.get("HTTP_HOST") or f"{environ['SERVER_NAME']}:{environ['SERVER_PORT']}"
    return Request(
        method=environ["REQUEST_METHOD"],
        path=environ["PATH_INFO"],
        query=environ.get("QUERY_STRING", ""),
        headers=_headers(environ),
        body=environ["wsgi.input"].read(size),
        client=environ.get("REMOTE_ADDR", ""),
        base_url=f"{environ['wsgi.url_scheme']}://{host}",
    )


def _headers(environ: "WSGIEnvironment") -> dict[str, str]:
    return {
        name.removeprefix("HTTP_").replace("_", "-").lower(): value
        for name, value in environ.items()
        if name.startswith("HTTP_")
    }

"""Requests and answers as the application sees them, apart from WSGI."""

import base64
import binascii
import json
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from payments.sandbox.stripe.errors import JSON

MAX_BODY = 1_000_000


class HangUp(Exception):
    """Close the connection without an answer."""


@dataclass(frozen=True)
class Request:
    """A request. Header names are lower case."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    client: str
    base_url: str

    @property
    def idempotency_key(self) -> str | None:
        """POST only: the other methods are idempotent by themselves and the header is ignored."""
        return self.headers.get("idempotency-key") if self.method == "POST" else None

    def secret_key(self) -> str:
        """The API key of Bearer, or the user of Basic; empty without one."""
        scheme, _, value = self.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return value.strip()
        return _basic_user(value) if scheme.lower() == "basic" else ""

    def json(self) -> JSON:
        """The body of a control call. Raises ValueError."""
        loaded = json.loads(self.body or b"{}")
        if not isinstance(loaded, dict):
            raise ValueError("a JSON object is expected")
        return loaded

    def query_values(self) -> dict[str, str]:
        return dict(parse_qsl(self.query, keep_blank_values=True))

    def form_values(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))


def _basic_user(value: str) -> str:
    try:
        return base64.b64decode(value).decode().partition(":")[0]
    except (binascii.Error, UnicodeDecodeError):
        return ""


@dataclass
class Response:
    status: int
    body: bytes
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)


def json_response(status: int, body: object) -> Response:
    return Response(status, json.dumps(body, indent=2).encode())

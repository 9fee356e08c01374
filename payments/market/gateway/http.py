"""One client for all providers: short timeouts, no redirects, no proxy, no endless answer.

Every failure is a ProviderFault. Numbers of JSON become Decimal, whatever they look like; what
they are worth is for `rules.prices` to say.
"""

import functools
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

import httpx
from django.conf import settings

from common import outside
from payments.market.errors import ProviderFault, Trouble

MOST_BYTES: Final = 4_000_000
# Of all chunks together: each may come just before its own timeout.
MOST_SECONDS: Final = 15.0
_LONGEST_WAIT: Final = 40 * 86_400


@dataclass(frozen=True, slots=True)
class Answer:
    """`body` is None where it is no JSON object or array."""

    status: int
    body: Any
    retry_after: timedelta | None


@functools.lru_cache(maxsize=4)
def _client(timeout: float) -> httpx.Client:
    return httpx.Client(
        timeout=httpx.Timeout(timeout, connect=min(timeout, 3.0)),
        follow_redirects=False,
        # A proxy named in the environment would see the keys.
        trust_env=False,
        limits=httpx.Limits(max_connections=8, keepalive_expiry=30),
    )


def get(url: str, *, params: Mapping[str, str], headers: Mapping[str, str]) -> Answer:
    """Raises ProviderFault where there is no whole answer, and for a status of 5xx or 3xx."""
    client = _client(settings.MARKET_TIMEOUT_SECONDS)
    try:
        with (
            outside.calling(httpx.URL(url).host, "prices"),
            client.stream("GET", url, params=params, headers=headers) as response,
        ):
            text = _read(response)
    except httpx.HTTPError as error:
        raise ProviderFault(Trouble.UNREACHABLE, type(error).__name__) from error
    status = response.status_code
    if status >= 500:
        raise ProviderFault(Trouble.UNREACHABLE, f"status {status}")
    if 300 <= status < 400:
        raise ProviderFault(Trouble.GARBLED, f"status {status}")
    return Answer(status, _parsed(text), _retry_after(response))


def whole(answer: Answer) -> Any:
    """The body of a good answer. Raises ProviderFault."""
    if answer.status != 200 or answer.body is None:
        raise ProviderFault(Trouble.GARBLED, f"status {answer.status}, no JSON of prices")
    return answer.body


def _read(response: httpx.Response) -> bytes:
    until, read = time.monotonic() + MOST_SECONDS, bytearray()
    for chunk in response.iter_bytes():
        read += chunk
        if len(read) > MOST_BYTES or time.monotonic() > until:
            raise ProviderFault(Trouble.GARBLED, "an answer without end")
    return bytes(read)


def _parsed(text: bytes) -> Any:
    try:
        found = json.loads(
            text.decode(), parse_float=Decimal, parse_int=Decimal, parse_constant=Decimal
        )
    # RecursionError: thousands of brackets in one another.
    except (ValueError, ArithmeticError, RecursionError):
        return None
    return found if isinstance(found, dict | list) else None


def _retry_after(response: httpx.Response) -> timedelta | None:
    text = response.headers.get("Retry-After", "")
    if not (text.isascii() and text.isdigit()):
        return None
    return timedelta(seconds=min(int(text[:9]), _LONGEST_WAIT))

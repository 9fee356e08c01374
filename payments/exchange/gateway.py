"""The only place that talks to the exchange venue. Never call any of this inside a transaction.

The venue's API: `POST /v1/orders` with a client_order_id of ours, which is taken once;
`GET /v1/orders/{client_order_id}`; `GET /v1/statement`. Whatever is no clear answer is Unreachable:
the outcome is unknown, and is asked for before anything is sent again.
"""

import functools
import json
import logging
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from urllib.parse import quote

import httpx
from django.conf import settings

from common import outside
from common.money import to_minor
from payments.exchange.errors import Unreachable
from payments.exchange.rules import CASH

MOST_BYTES: Final = 4_000_000
# Of all chunks together: each may come just before its own timeout.
MOST_SECONDS: Final = 8.0
# No amount of coins or dollars is as long as this.
_MOST: Final = Decimal(10**30)
_FINEST: Final = -40
logger = logging.getLogger(__name__)

FINAL: Final = {"filled", "partially_filled", "rejected"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What the venue says of one order; `filled` in coins, `cost` in USD, `minimum` in cents.

    `status` is filled, partially_filled, rejected, or open: taken and not done yet. `minimum` is
    set where the order was too small, and the minimum is one to go by. `body` is all of it, for
    people to read.
    """

    client_order_id: str
    currency: str
    status: str
    filled: Decimal
    cost: Decimal
    reason: str
    minimum: int | None
    body: dict[str, Any]

    @property
    def is_final(self) -> bool:
        return self.status in FINAL


def buy_from_exchange(currency: str, amount: Decimal, client_order_id: str) -> Answer:
    """Buy so many coins. The same id again gives what became of the first. Raises Unreachable."""
    body = {
        "client_order_id": client_order_id,
        "currency": currency,
        "amount": format(amount.normalize(), "f"),
    }
    status, found = _call("POST", "/v1/orders", body=body)
    if status not in (200, 201, 422):
        raise Unreachable(f"status {status}")
    answer = _answer(found, client_order_id)
    if answer.currency != currency:
        raise Unreachable(f"an answer about {answer.currency}")
    return answer


def order_find(client_order_id: str) -> Answer | None:
    """What the venue knows of an order; None where it knows nothing. Raises Unreachable."""
    status, found = _call("GET", f"/v1/orders/{quote(client_order_id, safe='')}")
    # A 404 of anybody else on the way would be taken for leave to send it again.
    if status == 404 and found.get("code") == "unknown_order":
        return None
    if status != 200:
        raise Unreachable(f"status {status}")
    return _answer(found, client_order_id)


def statement(since: datetime) -> Iterator[Answer]:
    """Every order that the venue took from then on, oldest first. Raises Unreachable."""
    params = {"since": str(int(since.timestamp())), "after": ""}
    while True:
        status, found = _call("GET", "/v1/statement", params=params)
        orders = found.get("orders")
        if status != 200 or not isinstance(orders, list):
            raise Unreachable(f"status {status}, no statement")
        for each in orders:
            yield _answer(each, _text(each, "client_order_id"))
        if not found.get("next"):
            return
        params["after"] = _text(found, "next")


@functools.lru_cache(maxsize=4)
def _client(timeout: float) -> httpx.Client:
    return httpx.Client(
        timeout=httpx.Timeout(timeout, connect=min(timeout, 3.0)),
        follow_redirects=False,
        # A proxy named in the environment would see the key.
        trust_env=False,
        limits=httpx.Limits(max_connections=8, keepalive_expiry=30),
    )


def _call(
    method: str,
    path: str,
    *,
    body: Mapping[str, str] | None = None,
    params: Mapping[str, str] | None = None,
) -> tuple[int, dict[str, Any]]:
    if not settings.EXCHANGE_VENUE_URL:
        raise Unreachable("no venue is named")
    client = _client(settings.EXCHANGE_VENUE_TIMEOUT_SECONDS)
    key = settings.EXCHANGE_VENUE_KEY
    headers = outside.headers() | ({"Authorization": f"Bearer {key}"} if key else {})
    url = settings.EXCHANGE_VENUE_URL + path
    try:
        with (
            outside.calling("venue", f"{method} {path.split('/')[2]}"),
            client.stream(method, url, json=body, params=params, headers=headers) as response,
        ):
            return response.status_code, _parsed(_read(response))
    except httpx.HTTPError as error:
        raise Unreachable(type(error).__name__) from error


def _read(response: httpx.Response) -> bytes:
    until, read = time.monotonic() + MOST_SECONDS, bytearray()
    for chunk in response.iter_bytes():
        read += chunk
        if len(read) > MOST_BYTES or time.monotonic() > until:
            raise Unreachable("an answer without end")
    return bytes(read)


def _parsed(text: bytes) -> dict[str, Any]:
    try:
        found = json.loads(text.decode(), parse_float=str, parse_int=str, parse_constant=str)
    # RecursionError: thousands of brackets in one another.
    except (ValueError, RecursionError) as error:
        raise Unreachable("no JSON") from error
    if not isinstance(found, dict):
        raise Unreachable("no JSON object")
    return found


def _answer(found: Any, client_order_id: str) -> Answer:
    status = _text(found, "status")
    if status not in {*FINAL, "open"} or _text(found, "client_order_id") != client_order_id:
        raise Unreachable("an answer to something else")
    rejected = status == "rejected"
    filled, cost = (Decimal(0) if rejected else _number(found, each) for each in ("filled", "cost"))
    if (status == "filled" and not filled) or (status == "open" and filled):
        raise Unreachable(f"{status}, and {filled} filled")
    return Answer(
        client_order_id=client_order_id,
        currency=_text(found, "currency"),
        status=status,
        filled=filled,
        cost=cost,
        reason=_text(found, "reason") if rejected else "",
        minimum=_minimum(found) if rejected else None,
        body=found,
    )


def _minimum(found: dict[str, Any]) -> int | None:
    """In whole cents; None where it is nothing that one could buy for.

    The refusal is clear all the same. Asked for again it would say the same: were this no answer,
    the batch would never end.
    """
    if found.get("reason") != "below_minimum":
        return None
    try:
        minimum = _number(found, "minimum")
        if 0 < minimum <= settings.EXCHANGE_ORDER_MAX_USD:
            return to_minor(minimum, CASH)
    except (Unreachable, ValueError):
        pass
    logger.error("exchange.minimum_out_of_bounds", extra={"code": found["client_order_id"]})
    return None


def _text(found: Any, name: str) -> str:
    value = found.get(name) if isinstance(found, dict) else None
    if not isinstance(value, str) or not 0 < len(value) <= 100:
        raise Unreachable(f"no {name}")
    return value


def _number(found: dict[str, Any], name: str) -> Decimal:
    try:
        value = Decimal(_text(found, name))
    except ArithmeticError as error:
        raise Unreachable(f"{name} is no number") from error
    exponent = value.as_tuple().exponent
    if not isinstance(exponent, int) or not 0 <= value < _MOST or exponent < _FINEST:
        raise Unreachable(f"{name} is out of bounds")
    return value

"""CoinGecko's API v3, with a key of the demo or the pro plan, or with none.

Unknown ids are absent from its answers. Every call counts, those that fail as well. A limit shows
as 429 with JSON or with the word "Throttled", and as 200 with the JSON of an error.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings

from payments.market.errors import ProviderFault, Trouble
from payments.market.gateway import http
from payments.market.rules import prices
from payments.market.rules.coins import Coin
from payments.market.rules.prices import Reading


def credits(coins: int) -> int:
    return 1


def latest(coins: Sequence[Coin], now: datetime) -> list[Reading]:
    """Raises ProviderFault."""
    body = _get(
        "/simple/price",
        ids=",".join(coin.coingecko for coin in coins),
        vs_currencies="usd",
        include_market_cap="true",
        include_24hr_change="true",
        include_last_updated_at="true",
        precision="full",
    )
    found = ((coin, body.get(coin.coingecko)) for coin in coins)
    made = (_reading(coin, row) for coin, row in found if isinstance(row, dict))
    return [each for each in made if each is not None]


def history(coin: Coin, now: datetime, *, span: timedelta) -> list[Reading]:
    """Prices of the last `span`, one every five minutes or every hour. Raises ProviderFault."""
    days = max(1, round(span / timedelta(days=1)))
    body = _get(f"/coins/{coin.coingecko}/market_chart", vs_currency="usd", days=str(days))
    points = body.get("prices")
    if not isinstance(points, list):
        raise ProviderFault(Trouble.GARBLED, "no prices")
    return [Reading(coin.id, price, moment) for moment, price in _points(points)]


def _get(path: str, **params: str) -> dict[str, Any]:
    answer = http.get(settings.COINGECKO_URL + path, params=params, headers=_headers())
    code = _error_code(answer.body)
    if answer.status == 429 or code == 429:
        raise ProviderFault(Trouble.MINUTE_USED, "429", retry_after=answer.retry_after)
    if answer.status in (401, 403) or code in (10002, 10010, 10011):
        raise ProviderFault(Trouble.REFUSED, f"error {code or answer.status}")
    body = http.whole(answer)
    if not isinstance(body, dict) or code is not None:
        raise ProviderFault(Trouble.GARBLED, "another shape")
    return body


def _headers() -> dict[str, str]:
    key = settings.COINGECKO_API_KEY
    name = "x-cg-pro-api-key" if settings.COINGECKO_PRO else "x-cg-demo-api-key"
    return {name: key} if key else {}


def _error_code(body: Any) -> int | None:
    status = body.get("status") if isinstance(body, dict) else None
    code = status.get("error_code") if isinstance(status, dict) else None
    return int(code) if isinstance(code, Decimal) and code.is_finite() else None


def _reading(coin: Coin, row: dict[str, Any]) -> Reading | None:
    price, moment = row.get("usd"), _moment(row.get("last_updated_at"), 1)
    if not isinstance(price, Decimal) or moment is None:
        return None
    return Reading(
        coin=coin.id,
        price=price,
        updated_at=moment,
        market_cap=prices.cap_of(row.get("usd_market_cap")),
        change_24h=prices.change_of(row.get("usd_24h_change")),
    )


def _points(points: list[Any]) -> Iterable[tuple[datetime, Decimal]]:
    for point in points:
        match point:
            case [when, Decimal() as price] if (moment := _moment(when, 1000)) is not None:
                yield moment, price


def _moment(value: Any, per_second: int) -> datetime | None:
    if not isinstance(value, Decimal) or not value.is_finite() or not 0 < value < 10**14:
        return None
    try:
        return datetime.fromtimestamp(float(value) / per_second, UTC)
    except (ValueError, OverflowError, OSError):
        return None

"""CoinMarketCap's quotes, asked by id, since its symbols are not unique.

What went wrong is `status.error_code`, a number or text, beside whatever HTTP status. A call costs
a credit for each hundred coins; one that fails costs none. Its free plan has no history.
"""

import math
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from django.conf import settings

from payments.market.errors import ProviderFault, Trouble
from payments.market.gateway import http
from payments.market.rules import prices
from payments.market.rules.coins import Coin
from payments.market.rules.prices import Reading

_TROUBLES: Final = {
    **dict.fromkeys(range(1001, 1008), Trouble.REFUSED),
    1008: Trouble.MINUTE_USED,
    1009: Trouble.DAY_USED,
    1010: Trouble.MONTH_USED,
    1011: Trouble.MINUTE_USED,
}


def credits(coins: int) -> int:
    return math.ceil(coins / 100)


def latest(coins: Sequence[Coin], now: datetime) -> list[Reading]:
    """Raises ProviderFault."""
    rows = _quotes(",".join(str(coin.coinmarketcap) for coin in coins))
    by_id = {_whole(row.get("id")): row for row in rows}
    found = ((coin, by_id.get(coin.coinmarketcap)) for coin in coins)
    made = (_reading(coin, row) for coin, row in found if row is not None)
    return [each for each in made if each is not None]


def _quotes(ids: str) -> list[dict[str, Any]]:
    answer = http.get(
        f"{settings.COINMARKETCAP_URL}/v2/cryptocurrency/quotes/latest",
        params={"id": ids, "convert": "USD"},
        headers={"X-CMC_PRO_API_KEY": settings.COINMARKETCAP_API_KEY},
    )
    _raise_for(answer)
    body = http.whole(answer)
    data = body.get("data") if isinstance(body, dict) else None
    if not isinstance(data, dict | list):
        raise ProviderFault(Trouble.GARBLED, "another shape", charged=False)
    return list(_rows(data))


def _raise_for(answer: http.Answer) -> None:
    status = answer.body.get("status") if isinstance(answer.body, dict) else None
    code = _whole(status.get("error_code")) if isinstance(status, dict) else None
    if code:
        trouble = _TROUBLES.get(code, Trouble.GARBLED)
    elif answer.status == 429:
        trouble = Trouble.MINUTE_USED
    elif answer.status in (401, 403):
        trouble = Trouble.REFUSED
    else:
        return
    detail = f"error {code or answer.status}"
    raise ProviderFault(trouble, detail, retry_after=answer.retry_after, charged=False)


def _rows(data: dict[str, Any] | list[Any]) -> Iterator[dict[str, Any]]:
    """By id each a coin; other versions of the API have lists there, or instead of all of it."""
    for each in data.values() if isinstance(data, dict) else data:
        if isinstance(each, list):
            yield from (row for row in each if isinstance(row, dict))
        elif isinstance(each, dict):
            yield each


def _reading(coin: Coin, row: dict[str, Any]) -> Reading | None:
    quote = _usd(row.get("quote"))
    price, moment = quote.get("price"), _moment(quote.get("last_updated"))
    if not isinstance(price, Decimal) or moment is None:
        return None
    return Reading(
        coin=coin.id,
        price=price,
        updated_at=moment,
        market_cap=prices.cap_of(quote.get("market_cap")),
        change_24h=prices.change_of(quote.get("percent_change_24h")),
    )


def _usd(quote: Any) -> dict[str, Any]:
    """`{"USD": {…}}`, or a list of quotes that name their currency."""
    if isinstance(quote, dict):
        found = quote.get("USD")
    else:
        named = (each for each in quote or [] if isinstance(each, dict))
        found = next((each for each in named if each.get("symbol") == "USD"), None)
    return found if isinstance(found, dict) else {}


def _whole(value: Any) -> int | None:
    """17, `"17"` and `17.0` are all said to come."""
    try:
        number = Decimal(value) if isinstance(value, str | Decimal) else None
        return int(number) if number is not None and abs(number) < 10**9 else None
    except (InvalidOperation, ValueError):
        return None


def _moment(value: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return None if moment is None else moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)

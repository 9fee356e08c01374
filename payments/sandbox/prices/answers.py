"""The bodies and errors of both providers, in their own shapes."""

import json
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import parse_qs

from payments.sandbox.prices.world import COINS, JSON, PRICE_FAULTS, World

Answer = tuple[int, str, str]
JSON_TYPE: Final = "application/json"
STALE_SECONDS: Final = 30 * 86_400
_PLACE: Final = '"<price>"'
_MESSAGES: Final = {
    1001: (401, "This API Key is invalid."),
    1002: (401, "API key missing."),
    1006: (403, "Your API Key subscription plan doesn't support this endpoint."),
    1007: (403, "This API Key has been disabled. Please contact support."),
    1008: (429, "You've exceeded your API Key's HTTP request rate limit."),
    1009: (429, "You've exceeded your API Key's daily rate limit."),
    1010: (429, "You've exceeded your API Key's monthly rate limit."),
    1011: (429, "You've hit an IP rate limit."),
}


def coingecko(world: World, path: str, query: str, key: JSON, kind: str) -> Answer:
    """`key`: the request's headers in lower case."""
    limited = {
        "429_json": (429, JSON_TYPE, json.dumps(_gecko_limit())),
        "429_text": (429, "text/plain", "Throttled"),
        "429_in_200": (200, JSON_TYPE, json.dumps(_gecko_limit())),
    }
    if kind in limited:
        return limited[kind]
    if wrong := _gecko_key(world, key):
        return 401, JSON_TYPE, json.dumps({"status": wrong})
    if path == "/api/v3/ping":
        return 200, JSON_TYPE, '{"gecko_says":"(V3) To the Moon!"}'
    values = {name: found[0] for name, found in parse_qs(query).items()}
    if path == "/api/v3/simple/price":
        return 200, JSON_TYPE, _simple_price(world, values, kind)
    parts = path.split("/")
    if path.startswith("/api/v3/coins/") and path.endswith("/market_chart") and len(parts) == 6:
        return _market_chart(world, parts[4], values, kind)
    return 404, JSON_TYPE, '{"error":"Incorrect path. Please check https://docs.coingecko.com"}'


def _gecko_limit() -> JSON:
    message = "You've exceeded the Rate Limit."
    return {"status": {"error_code": 429, "error_message": message}}


def _gecko_key(world: World, headers: JSON) -> JSON | None:
    wanted = world.keys["coingecko"]
    if "x-cg-pro-api-key" in headers:
        return {"error_code": 10011, "error_message": "This is the demo API: use a demo key."}
    if wanted and headers.get("x-cg-demo-api-key") != wanted:
        return {"error_code": 10002, "error_message": "API Key Missing or wrong"}
    return None


def _simple_price(world: World, values: dict[str, str], kind: str) -> str:
    asked = values.get("ids", "").split(",")
    rows = {name: _gecko_row(world, name, kind) for name, *_ in _known(asked, kind)}
    return _with_price(json.dumps(rows), kind)


def _known(asked: list[str], kind: str) -> list[Any]:
    """Unknown ids are left out. "missing" loses the first coin, "empty" all of them."""
    found = [coin for coin in COINS if coin[0] in asked or str(coin[1]) in asked]
    return {"missing": found[1:], "empty": []}.get(kind, found)


def _gecko_row(world: World, name: str, kind: str) -> JSON:
    price = world.prices[name]
    supply = next(coin[4] for coin in COINS if coin[0] == name)
    return {
        "usd": _price(price, kind),
        "usd_market_cap": price * supply,
        "usd_24h_change": 0.28608077948667514,
        "last_updated_at": int(_moment(world, kind)),
    }


def _price(price: float, kind: str) -> Any:
    if kind in PRICE_FAULTS:
        return _PLACE.strip('"')
    return round(price * 100, 6) if kind == "x100" else price


def _with_price(text: str, kind: str) -> str:
    return text.replace(_PLACE, PRICE_FAULTS.get(kind, _PLACE))


def _moment(world: World, kind: str) -> float:
    # Providers refresh once a minute.
    now = world.clock() // 60 * 60
    return now + {"stale": -STALE_SECONDS, "future": 86_400}.get(kind, 0)


def _market_chart(world: World, name: str, values: dict[str, str], kind: str) -> Answer:
    if name not in world.prices:
        return 404, JSON_TYPE, '{"error":"coin not found"}'
    last, price = _moment(world, kind), world.prices[name]
    steps = int(values.get("days", "1")) * 288
    points = [
        [int(last - 300 * back) * 1000, _price(price * (1 + back / 100_000), kind)]
        for back in range(steps, -1, -1)
    ]
    caps = [[moment, 1.0] for moment, _ in points]
    body = {"prices": points, "market_caps": caps, "total_volumes": caps}
    return 200, JSON_TYPE, _with_price(json.dumps(body), kind)


def coinmarketcap(world: World, path: str, query: str, key: JSON, kind: str) -> Answer:
    if kind == "429_text":
        return 429, "text/html", "<html>429 Too Many Requests</html>"
    if kind.isdigit():
        return _cmc_error(world, int(kind))
    given = key.get("x-cmc_pro_api_key")
    if given != world.keys["coinmarketcap"]:
        return _cmc_error(world, 1001 if given else 1002)
    if path != "/v2/cryptocurrency/quotes/latest":
        return 404, JSON_TYPE, '{"statusCode":404,"error":"Not Found","message":"Not Found"}'
    values = {name: found[0] for name, found in parse_qs(query).items()}
    asked = values.get("id", "").split(",")
    if unknown := [each for each in asked if each not in {str(coin[1]) for coin in COINS}]:
        return 400, JSON_TYPE, _cmc_body(world, {}, 400, f'Invalid value for "id": {unknown}')
    data = {str(coin[1]): _cmc_row(world, coin, kind) for coin in _known(asked, kind)}
    return 200, JSON_TYPE, _with_price(_cmc_body(world, data, 0, None), kind)


def _cmc_error(world: World, code: int) -> Answer:
    status, message = _MESSAGES[code]
    return status, JSON_TYPE, _cmc_body(world, {}, code, message)


def _cmc_body(world: World, data: JSON, code: int, message: str | None) -> str:
    status = {
        "timestamp": _iso(world.clock()),
        "error_code": code,
        "error_message": message,
        "elapsed": 10,
        "credit_count": 0 if code else 1,
    }
    return json.dumps({"status": status, **({} if code else {"data": data})})


def _cmc_row(world: World, coin: Any, kind: str) -> JSON:
    name, number, symbol, _, supply = coin
    price, moment = world.prices[name], _iso(_moment(world, kind))
    usd = {
        "price": _price(price, kind),
        "market_cap": price * supply,
        "percent_change_24h": 0.28608077948667514,
        "last_updated": moment,
    }
    row = {"id": number, "name": name, "symbol": symbol, "slug": name, "quote": {"USD": usd}}
    return {**row, "last_updated": moment}


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")

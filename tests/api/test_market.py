"""Coins, stats, deviation, charts and token prices over HTTP."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from rest_framework.test import APIClient

from common import clock
from payments.market import selectors, services, store
from payments.market.models import CoinPrice
from payments.market.rules.budgets import Purpose
from payments.market.rules.coins import BY_ID, COINS
from tests.factories.market import priced
from tests.factories.shop import ProductFactory

pytestmark = pytest.mark.django_db
MARKET = "/api/v1/market/"
BOTH = pytest.mark.parametrize("path", [MARKET + "{}/", "/api/{}"])


@pytest.fixture
def visitor() -> APIClient:
    return APIClient()


@BOTH
def test_stats_have_the_shape_of_the_assignment(visitor: APIClient, path: str) -> None:
    made = priced("bitcoin", "104245")
    CoinPrice.objects.update(market_cap=2071260438359015 * 10**15, change_24h=0.28608077948667514)
    selectors.latest_renew()
    answer = visitor.get(path.format("stats"), {"coin": "bitcoin"})
    assert answer.status_code == 200
    assert answer.content.startswith(b'{"price":104245,"marketCap":2071260438359.015,"24hChange":')
    assert answer.json() == {
        "price": 104245,
        "marketCap": 2071260438359.015,
        "24hChange": pytest.approx(0.28608077948667514),
        "coin": "bitcoin",
        "asked": "bitcoin",
        "notice": None,
        "source": "simulated",
        "as_of": made.updated_at.isoformat().replace("+00:00", "Z"),
        "stale": False,
    }


@BOTH
def test_the_deviation_is_that_of_the_assignments_example(visitor: APIClient, path: str) -> None:
    for price in ("40000", "45000", "50000"):
        priced("bitcoin", price)
    found = visitor.get(path.format("deviation"), {"coin": "bitcoin"}).json()
    assert (found["deviation"], found["samples"]) == (4082.48, 3)


def test_the_deviation_is_of_the_newest_hundred(visitor: APIClient) -> None:
    now = clock.now()
    for age in range(103):
        price = "0.36" if age < 100 else "0.90"
        priced("matic", price, at=now - timedelta(minutes=age))
    CoinPrice.objects.update(coin="polygon-ecosystem-token")
    found = visitor.get(MARKET + "deviation/", {"coin": "POL"}).json()
    assert (found["deviation"], found["samples"]) == (0, 100)


@BOTH
@pytest.mark.parametrize("name", ["stats", "deviation"])
@pytest.mark.parametrize("query", [{}, {"coin": ""}, {"coin": "doge-elon"}, {"coin": "a\0"}])
def test_an_unknown_or_missing_coin_is_refused_by_one_code(
    visitor: APIClient, path: str, name: str, query: dict[str, str]
) -> None:
    answer = visitor.get(path.format(name), query)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_coin")
    assert answer.json()["errors"][0]["field"] == "coin"


@BOTH
@pytest.mark.parametrize("name", ["stats", "deviation"])
def test_a_coin_without_prices_has_no_data(visitor: APIClient, path: str, name: str) -> None:
    answer = visitor.get(path.format(name), {"coin": "bitcoin"})
    assert (answer.status_code, answer.json()["code"]) == (404, "no_data")


def test_a_retired_id_has_the_new_ones_data_and_is_told(visitor: APIClient) -> None:
    priced("polygon-ecosystem-token", "0.36")
    found = visitor.get("/api/stats", {"coin": "matic-network"}).json()
    assert (found["price"], found["coin"]) == (0.36, "polygon-ecosystem-token")
    assert found["asked"] == "matic-network"
    assert "retired" in found["notice"]


def test_prices_of_providers_that_are_not_configured_are_not_shown(
    visitor: APIClient, settings: Any
) -> None:
    priced("bitcoin", "1", provider="coingecko")
    assert visitor.get("/api/stats", {"coin": "bitcoin"}).status_code == 404
    settings.MARKET_PROVIDERS = ["coingecko"]
    selectors.latest_renew()
    assert visitor.get("/api/stats", {"coin": "bitcoin"}).json()["price"] == 1


def test_an_old_price_says_that_it_is_stale(visitor: APIClient) -> None:
    priced(at=clock.now() - timedelta(hours=1))
    assert visitor.get("/api/stats", {"coin": "bitcoin"}).json()["stale"] is True


def test_coins_come_with_their_names_and_prices(visitor: APIClient) -> None:
    priced("bitcoin", "40000.50")
    found = visitor.get(MARKET + "coins/", {"page_size": 100}).json()
    assert found["count"] == len(COINS)
    coins = {row["id"]: row for row in found["results"]}
    assert coins["bitcoin"]["price"] == "40000.5"
    assert coins["ethereum"]["price"] is None
    assert coins["polygon-ecosystem-token"]["retired_ids"] == ["matic-network"]


def test_tokens_say_their_decimals_and_confirmations(visitor: APIClient) -> None:
    found = visitor.get("/api/v1/tokens/").json()
    assert found["results"][0] == {
        "token": "ETH",
        "name": "Ethereum",
        "coin": "ethereum",
        "decimals": 18,
        "confirmations": 12,
    }


def test_a_chart_has_the_prices_of_its_range_oldest_first(visitor: APIClient) -> None:
    now = clock.now()
    for hours in (30, 20, 10):
        priced(price=str(40_000 + hours), at=now - timedelta(hours=hours))
    shown = visitor.get(MARKET + "history/", {"coin": "btc"}).json()
    assert [point["price"] for point in shown["points"]] == ["40020", "40010"]
    since, until = now - timedelta(hours=30), now - timedelta(hours=10)
    query = {"coin": "btc", "from": since.isoformat(), "to": until.isoformat()}
    shown = visitor.get(MARKET + "history/", query).json()
    assert [point["price"] for point in shown["points"]] == ["40030", "40020"]


@pytest.mark.parametrize(
    "query",
    [
        {"from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z"},
        {"from": "2026-01-01T00:00:00Z", "to": "2026-01-01T00:00:00Z"},
        {"from": "2999-01-01T00:00:00Z"},
        {"to": "0001-01-01T00:00:00Z"},
    ],
)
def test_a_range_that_ends_before_it_begins_is_refused(
    visitor: APIClient, query: dict[str, str]
) -> None:
    answer = visitor.get(MARKET + "history/", {"coin": "btc", **query})
    assert (answer.status_code, answer.json()["code"]) == (400, "range_reversed")


def test_providers_are_for_staff_and_show_no_key(staff_api: APIClient, settings: Any) -> None:
    settings.MARKET_PROVIDERS = ["coingecko", "simulated"]
    settings.COINGECKO_API_KEY = "CG-very-secret"
    answer = staff_api.get("/api/v1/admin/market/providers/")
    assert "CG-very-secret" not in answer.content.decode()
    first, second = answer.json()["providers"]
    assert (first["provider"], first["key"], first["open_until"]) == ("coingecko", True, None)
    assert [left["window"] for left in first["budgets"]] == ["minute", "day", "month"]
    assert second["budgets"] == []


# The catalogue in a token.


def product(client: APIClient, **query: str) -> Any:
    return client.get("/api/v1/products/oak/", query).json()


def test_goods_are_priced_in_a_token_rounded_up_by_less_than_a_base_unit(
    visitor: APIClient,
) -> None:
    ProductFactory(slug="oak", list_price=100_000)
    made = priced("ethereum", "3456.789")
    shown = product(visitor, token="ETH")["token_price"]
    assert shown["amount"] == "0.289285808303601985"
    exact = Decimal(1000) / Decimal("3456.789")
    assert 0 <= Decimal(shown["amount"]) - exact < Decimal("1e-18")
    assert shown | {"amount": ""} == {
        "token": "ETH",
        "amount": "",
        "rate": "3456.789",
        "source": "simulated",
        "as_of": made.updated_at.isoformat().replace("+00:00", "Z"),
        "expires_at": (made.updated_at + timedelta(minutes=30)).isoformat().replace("+00:00", "Z"),
        "stale": False,
    }


def test_a_whole_page_is_priced_from_one_rate_and_asks_nobody(
    visitor: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    for slug in ("oak", "elm", "ash"):
        ProductFactory(slug=slug)
    priced("usd-coin", "0.9999")
    reads: list[None] = []
    found = store.latest_get
    monkeypatch.setattr(store, "latest_get", lambda: reads.append(None) or found())
    monkeypatch.setattr("httpx.Client.stream", None)
    shown = visitor.get("/api/v1/products/", {"token": "USDC", "page_size": 100}).json()
    rates = {row["token_price"]["rate"] for row in shown["results"]}
    assert (rates, len(reads)) == ({"0.9999"}, 1)
    oak = next(row for row in shown["results"] if row["slug"] == "oak")
    assert oak["token_price"]["amount"] == "10.001001"


@pytest.mark.parametrize(
    ("age", "error"), [(None, "no_data"), (timedelta(hours=7), "too_old")], ids=["none", "old"]
)
def test_without_a_rate_the_page_answers_all_the_same(
    visitor: APIClient, age: timedelta | None, error: str
) -> None:
    ProductFactory(slug="oak")
    if age:
        priced("ethereum", "3500", at=clock.now() - age)
    shown = product(visitor, token="ETH")
    assert (shown["token_price"], shown["token_price_error"]) == (None, error)


def test_a_stale_rate_is_shown_as_such(visitor: APIClient) -> None:
    ProductFactory(slug="oak")
    priced("ethereum", "3500", at=clock.now() - timedelta(hours=1))
    assert product(visitor, token="ETH")["token_price"]["stale"] is True


def test_a_coin_that_nobody_can_pay_with_is_refused(visitor: APIClient) -> None:
    ProductFactory(slug="oak")
    answer = visitor.get("/api/v1/products/oak/", {"token": "DOGE"})
    assert (answer.status_code, answer.json()["code"]) == (400, "unknown_token")


def test_a_page_with_token_prices_is_the_same_until_the_rate_changes(visitor: APIClient) -> None:
    ProductFactory(slug="oak")
    priced("ethereum", "3500")
    url = "/api/v1/products/oak/?token=ETH"
    tag = visitor.get(url)["ETag"]
    assert visitor.get(url, headers={"If-None-Match": tag}).status_code == 304
    priced("ethereum", "3501")
    assert visitor.get(url, headers={"If-None-Match": tag}).status_code == 200


def test_simulated_prices_fill_everything_with_no_key_and_no_network(
    visitor: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("httpx.Client.stream", None)
    assert services.prices_tick(every=900) == len(COINS)
    assert services.prices_tick(every=900) == 0
    found = visitor.get("/api/stats", {"coin": "bitcoin"}).json()
    assert found["source"] == "simulated"
    assert visitor.get("/api/deviation", {"coin": "bitcoin"}).json()["samples"] == 100
    assert services.prices_refresh(coins=[BY_ID["bitcoin"]], purpose=Purpose.TICK) == {"bitcoin"}

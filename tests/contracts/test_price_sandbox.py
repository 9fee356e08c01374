"""Our clients against the providers' stand-ins, over HTTP: what is stored, and what is never."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
from django.test import Client

from common import clock
from payments.market import selectors, services
from payments.market.errors import ProviderFault, Trouble
from payments.market.gateway import coingecko, coinmarketcap, http
from payments.market.models import CoinPrice, MarketTurn, ProviderState, ProviderUse
from payments.market.rules import coins
from payments.market.rules.budgets import Purpose, Window, resets
from payments.market.rules.coins import COINS
from payments.sandbox.prices import PriceSandbox
from payments.sandbox.prices.world import DATA_FAULTS, HTTP_FAULTS, LIMIT_FAULTS
from tests.factories.market import _prices, prices
from tests.factories.shop import ProductFactory

__all__ = ["_prices", "prices"]
pytestmark = pytest.mark.django_db
BITCOIN, ETHER = coins.BY_ID["bitcoin"], coins.BY_ID["ethereum"]


def refresh() -> set[str]:
    return services.prices_refresh(coins=COINS, purpose=Purpose.TICK)


def stored() -> dict[tuple[str, str], Decimal]:
    rows = CoinPrice.objects.all()
    return {(row.provider, row.coin): row.value.price for row in rows}


@pytest.mark.parametrize("feed", [coingecko, coinmarketcap])
def test_a_client_reads_what_the_provider_has(prices: PriceSandbox, feed: Any) -> None:
    found = {each.coin: each for each in feed.latest(COINS, clock.now())}
    assert found.keys() == {coin.id for coin in COINS}
    bitcoin = found["bitcoin"]
    assert bitcoin.price == Decimal("67187.335")
    assert bitcoin.market_cap is not None
    assert bitcoin.market_cap > 10**12
    assert bitcoin.change_24h == 0.28608077948667514
    assert abs(clock.now() - bitcoin.updated_at) < timedelta(minutes=2)


def test_numbers_keep_the_digits_that_the_provider_wrote(prices: PriceSandbox) -> None:
    found = coingecko.latest([coins.BY_ID["polygon-ecosystem-token"]], clock.now())
    assert found[0].price == Decimal("0.361234567")


def test_a_tick_asks_one_provider_once_for_all_coins(prices: PriceSandbox) -> None:
    assert refresh() == {coin.id for coin in COINS}
    assert [call["path"] for call in prices.calls()] == ["/api/v3/simple/price"]
    assert {provider for provider, _ in stored()} == {"coingecko"}


GECKO = sorted(HTTP_FAULTS | DATA_FAULTS | LIMIT_FAULTS["coingecko"])
CMC = sorted(HTTP_FAULTS | DATA_FAULTS | LIMIT_FAULTS["coinmarketcap"])
# Of these no price comes; of "missing" all but one come.
WITHOUT = {*HTTP_FAULTS, *DATA_FAULTS, *LIMIT_FAULTS["coingecko"], *LIMIT_FAULTS["coinmarketcap"]}


def good_start(prices: PriceSandbox) -> dict[tuple[str, str], Decimal]:
    """A tick of an hour ago, by which later prices are judged."""
    refresh()
    CoinPrice.objects.update(updated_at=clock.now() - timedelta(hours=1))
    ProviderUse.objects.all().delete()
    return stored()


@pytest.mark.proof(
    "A price provider fails: no quote out of bounds",
    size=f"{len(GECKO)} and {len(CMC)} kinds of failure",
    control="test_control_without_the_judge_bad_prices_are_stored",
)
@pytest.mark.parametrize(
    ("provider", "kind"),
    [("coingecko", kind) for kind in GECKO] + [("coinmarketcap", kind) for kind in CMC],
)
def test_whatever_a_provider_answers_no_price_out_of_bounds_is_stored(
    prices: PriceSandbox, settings: Any, provider: str, kind: str
) -> None:
    settings.MARKET_PROVIDERS = [provider]
    before = good_start(prices)
    prices.fault(provider, kind)
    found = refresh()
    assert found == ({coin.id for coin in COINS[1:]} if kind == "missing" else set())
    assert stored() == before


@pytest.mark.parametrize("kind", GECKO)
def test_the_next_provider_stands_in(prices: PriceSandbox, kind: str) -> None:
    good_start(prices)
    prices.fault("coingecko", kind)
    assert refresh() == {coin.id for coin in COINS}
    expected = 1 if kind == "missing" else len(COINS)
    assert CoinPrice.objects.filter(provider="coinmarketcap").count() == expected


@pytest.mark.parametrize("kind", ["nan", "zero", "negative", "huge", "x100", "stale"])
def test_the_first_prices_of_all_are_judged_as_well(
    prices: PriceSandbox, settings: Any, kind: str
) -> None:
    settings.MARKET_PROVIDERS = ["coingecko"]
    prices.fault("coingecko", kind)
    assert refresh() == set()
    assert stored() == {}


def test_control_without_the_judge_bad_prices_are_stored(
    prices: PriceSandbox, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.MARKET_PROVIDERS = ["coingecko"]
    before = good_start(prices)
    monkeypatch.setattr("payments.market.rules.prices.refusal", lambda *args, **kwargs: None)
    prices.fault("coingecko", "x100")
    refresh()
    assert stored() != before


def test_two_providers_that_agree_outvote_the_past(prices: PriceSandbox) -> None:
    good_start(prices)
    prices.fault("coingecko", "x100")
    prices.fault("coinmarketcap", "x100")
    assert refresh() == {coin.id for coin in COINS}
    assert stored()["coinmarketcap", "bitcoin"] == Decimal("6718733.5")
    assert stored()["coingecko", "bitcoin"] == Decimal("67187.335")


@pytest.mark.parametrize(
    ("provider", "kind", "window"),
    [
        ("coingecko", "429_json", Window.MINUTE),
        ("coingecko", "429_text", Window.MINUTE),
        ("coingecko", "429_in_200", Window.MINUTE),
        ("coinmarketcap", "1008", Window.MINUTE),
        ("coinmarketcap", "1011", Window.MINUTE),
        ("coinmarketcap", "1009", Window.DAY),
        ("coinmarketcap", "1010", Window.MONTH),
    ],
)
def test_a_used_up_window_is_waited_out_to_its_end(
    prices: PriceSandbox, settings: Any, provider: str, kind: str, window: Window
) -> None:
    settings.MARKET_PROVIDERS = [provider]
    prices.fault(provider, kind)
    assert refresh() == set()
    state = ProviderState.objects.get(provider=provider)
    assert state.failed_at is not None
    assert state.open_until == resets(window, state.failed_at)
    asked = len(prices.calls())
    if state.open_until > clock.now():
        assert refresh() == set()
        assert len(prices.calls()) == asked


@pytest.mark.parametrize("kind", ["1001", "1006", "1007"])
def test_a_refused_key_is_left_for_people(prices: PriceSandbox, settings: Any, kind: str) -> None:
    settings.MARKET_PROVIDERS = ["coinmarketcap"]
    prices.fault("coinmarketcap", kind)
    refresh()
    state = ProviderState.objects.get(provider="coinmarketcap")
    assert (state.reason, state.open_until is not None) == ("refused", True)


def test_the_wrong_pair_of_key_and_host_is_a_refusal(prices: PriceSandbox, settings: Any) -> None:
    settings.COINGECKO_PRO, settings.COINGECKO_API_KEY = True, "CG-x"
    with pytest.raises(ProviderFault) as caught:
        coingecko.latest([BITCOIN], clock.now())
    assert caught.value.trouble is Trouble.REFUSED


def test_keys_go_in_the_providers_own_headers(prices: PriceSandbox, settings: Any) -> None:
    prices.world.keys["coingecko"] = settings.COINGECKO_API_KEY = "CG-right"
    try:
        assert coingecko.latest([BITCOIN], clock.now())
        settings.COINGECKO_API_KEY = "CG-wrong"
        with pytest.raises(ProviderFault, match="refused"):
            coingecko.latest([BITCOIN], clock.now())
    finally:
        prices.world.keys["coingecko"] = ""
    settings.COINMARKETCAP_API_KEY = "another"
    with pytest.raises(ProviderFault, match="refused"):
        coinmarketcap.latest([BITCOIN], clock.now())


def test_a_tick_that_brings_nothing_is_tried_again_a_minute_later(
    prices: PriceSandbox, settings: Any
) -> None:
    settings.MARKET_PROVIDERS = ["coingecko"]
    prices.fault("coingecko", "500")
    assert services.prices_tick(every=900) == 0
    assert not selectors.turn_is_due("tick", 900)
    taken = MarketTurn.objects.get(name="tick").taken_at
    assert taken is not None
    assert timedelta(seconds=830) < clock.now() - taken < timedelta(seconds=850)


def test_coinmarketcaps_other_shapes_are_read_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    usd = {"symbol": "USD", "price": Decimal("67000"), "last_updated": "2026-11-21T12:00:00.000Z"}
    rows = [{"id": Decimal(1), "quote": [usd]}, "nonsense", {"id": "x"}, {"id": None}]
    for data in (rows, {"1": rows}, {"BTC": [{"id": "1", "quote": {"USD": usd}}]}):
        body = {"status": {"error_code": "0"}, "data": data}
        monkeypatch.setattr(
            coinmarketcap.http, "get", lambda *_, found=body, **__: http.Answer(200, found, None)
        )
        found = coinmarketcap.latest([BITCOIN, ETHER], clock.now())
        assert [(each.coin, each.price) for each in found] == [("bitcoin", Decimal(67000))]


def test_three_failures_open_the_breaker_and_a_success_closes_it(
    prices: PriceSandbox, settings: Any
) -> None:
    settings.MARKET_PROVIDERS = ["coingecko"]
    prices.fault("coingecko", "500", times=3)
    for _ in range(4):
        assert refresh() == set()
    assert len(prices.calls()) == 3
    ProviderState.objects.update(open_until=clock.now())
    assert refresh()
    state = ProviderState.objects.get()
    assert (state.failures, state.open_until, state.reason) == (0, None, "")


def used(provider: str) -> dict[str, int]:
    rows = ProviderUse.objects.filter(provider=provider)
    return dict(rows.values_list("window", "used"))


def test_errors_count_at_coingecko_and_cost_no_credits_at_coinmarketcap(
    prices: PriceSandbox, settings: Any
) -> None:
    prices.fault("coingecko", "html")
    prices.fault("coinmarketcap", "1008")
    refresh()
    assert used("coingecko")["month"] == 1
    assert used("coinmarketcap") == {"minute": 1, "day": 0, "month": 0}


def test_a_spent_budget_asks_nobody_and_keeps_a_reserve_for_checkout(
    prices: PriceSandbox, settings: Any
) -> None:
    settings.MARKET_PROVIDERS = ["coingecko"]
    settings.MARKET_LIMITS = {"coingecko": {"minute": 0, "day": 10, "month": 0}}
    now = clock.now()
    start = now.replace(hour=0, minute=0, second=0, microsecond=0)
    ProviderUse.objects.create(provider="coingecko", window="day", starts_at=start, used=9)
    assert refresh() == set()
    for expected in ({"bitcoin"}, set()):
        assert services.prices_refresh(coins=[BITCOIN], purpose=Purpose.CHECKOUT) == expected
    assert len(prices.calls()) == 1


def test_many_calls_of_a_minute_are_refused_before_any_query(
    prices: PriceSandbox, settings: Any, django_assert_num_queries: Callable[..., Any]
) -> None:
    settings.MARKET_PROVIDERS = ["coingecko"]
    settings.MARKET_LIMITS = {"coingecko": {"minute": 1, "day": 0, "month": 0}}
    checkout = Purpose.CHECKOUT
    assert services.prices_refresh(coins=[BITCOIN], purpose=checkout)
    # The clock's, and what prices are held against.
    with django_assert_num_queries(4):
        assert services.prices_refresh(coins=[BITCOIN], purpose=checkout) == set()
    assert len(prices.calls()) == 1


def test_history_is_filled_in_once_from_the_provider_that_has_it(
    prices: PriceSandbox, settings: Any
) -> None:
    settings.MARKET_LIMITS = {}
    settings.MARKET_PROVIDERS = ["coinmarketcap", "coingecko"]
    refresh()
    assert services.histories_fill() == len(COINS)
    assert services.histories_fill() == 0
    rows = CoinPrice.objects.filter(coin="bitcoin")
    assert rows.filter(provider="coingecko").count() in (96, 97)
    assert rows.order_by("updated_at").last().provider == "coinmarketcap"  # type: ignore[union-attr]


@pytest.mark.parametrize("kind", ["nan", "negative", "huge", "x100", "html", "500"])
def test_a_history_that_cannot_be_is_not_stored(
    prices: PriceSandbox, settings: Any, kind: str
) -> None:
    settings.MARKET_PROVIDERS, settings.MARKET_LIMITS = ["coingecko"], {}
    refresh()
    before = CoinPrice.objects.filter(coin="bitcoin").count()
    prices.fault("coingecko", kind)
    services.histories_fill()
    assert CoinPrice.objects.filter(coin="bitcoin").count() == before


def test_a_history_that_failed_is_asked_for_again(prices: PriceSandbox, settings: Any) -> None:
    settings.MARKET_PROVIDERS, settings.MARKET_LIMITS = ["coingecko"], {}
    prices.fault("coingecko", "500")
    assert services.histories_fill() == 0
    assert not MarketTurn.objects.filter(name__startswith="history").exists()
    assert services.histories_fill() == len(COINS)


def test_a_checkout_fetches_where_the_stored_rate_is_too_old(prices: PriceSandbox) -> None:
    good_start(prices)
    rate = services.rate_for_checkout(token="ETH")
    assert (rate.rate, rate.source) == (Decimal("3456.789"), "coingecko")
    assert len(prices.calls()) == 2
    services.rate_for_checkout(token="ETH")
    assert len(prices.calls()) == 2
    assert rate.base_units(100) == -(-(10**18) * 1000 // 3456789)


def test_controls_work_over_http(prices: PriceSandbox) -> None:
    base = prices.coinmarketcap_url
    bad = httpx.post(f"{base}/_sandbox/faults", json={"provider": "coingecko", "kind": "nane"})
    assert bad.status_code == 400
    asked = {"provider": "coingecko", "kind": "500"}
    assert httpx.post(f"{base}/_sandbox/faults", json=asked).status_code == 200
    assert httpx.get(f"{prices.coingecko_url}/ping").status_code == 500
    assert httpx.get(f"{base}/_sandbox/calls").json()["calls"]
    assert httpx.delete(f"{base}/_sandbox/faults").json() == {"deleted": True}
    assert httpx.get(f"{base}/healthz").json() == {"status": "ok"}


def test_the_sandboxs_own_limits_are_met_with_the_real_answers(
    prices: PriceSandbox, settings: Any
) -> None:
    prices.world.per_minute["coingecko"] = 1
    settings.MARKET_PROVIDERS = ["coingecko"]
    coingecko.latest([BITCOIN], clock.now())
    with pytest.raises(ProviderFault) as caught:
        coingecko.latest([ETHER], clock.now())
    assert caught.value.trouble is Trouble.MINUTE_USED


def test_providers_show_what_is_left(prices: PriceSandbox) -> None:
    refresh()
    first = selectors.providers()[0]
    assert (first.provider, first.position, first.key) == ("coingecko", 1, False)
    month = next(left for left in first.budgets if left.window == "month")
    assert (month.limit, month.used, month.left) == (10_000, 1, 9_999)


@pytest.mark.proof(
    "Four products priced in ETH while both price providers fail",
    size="down, slow, 429, lying",
    control="test_control_without_the_judge_bad_prices_are_stored",
)
@pytest.mark.parametrize(
    "kinds",
    [("500", "500"), ("timeout", "timeout"), ("429_json", "429_text"), ("x100", "nan")],
    ids=["down", "slow", "429", "lying"],
)
def test_a_page_is_priced_in_eth_while_both_providers_fail(
    prices: PriceSandbox, kinds: tuple[str, str]
) -> None:
    """At the last good rate, which is said to be old; nobody is asked meanwhile."""
    rate = good_start(prices)["coingecko", "ethereum"]
    selectors.latest_renew()
    for provider, kind in zip(("coingecko", "coinmarketcap"), kinds, strict=True):
        prices.fault(provider, kind, times=10)
    assert refresh() == set()
    asked = len(prices.calls())
    for number in range(4):
        ProductFactory(name=f"Pricey {number}", list_price=1999 + number)
    page = Client().get("/api/v1/products/", {"search": "pricey", "token": "ETH"}).json()
    shown = [row["token_price"] for row in page["results"]]
    assert len(shown) == 4
    for row, price in zip(page["results"], shown, strict=True):
        assert (price["rate"], price["stale"]) == (format(rate.normalize(), "f"), True)
        worth = Decimal(price["amount"]) * rate
        assert 0 <= worth - Decimal(row["price"]) < Decimal("0.000001")
    assert len(prices.calls()) == asked

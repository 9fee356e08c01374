"""Ticks, quotes, retention, and the channel on which anybody may ask for an update."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection, transaction
from django_redis import get_redis_connection

from common import clock
from common.limits.store import local
from payments.market import selectors, services, store
from payments.market.errors import NotNow, RateUnavailable
from payments.market.models import CoinPrice, MarketTurn, ProviderUse, Quote
from payments.market.rules.budgets import Purpose
from payments.market.rules.coins import BY_ID, COINS
from payments.market.services import budgets
from shop.catalogue.errors import UnknownToken
from tests.factories.market import priced
from tests.races.parallel import in_parallel

TICKS = 10


def refresh() -> Any:
    return services.prices_refresh(coins=COINS, purpose=Purpose.TICK)


def parallel_ticks(monkeypatch: pytest.MonkeyPatch) -> int:
    """Ten at one moment, by processes that do not know of each other; rows for each coin."""
    now = clock.now()
    monkeypatch.setattr("payments.market.services.prices.clock.now", lambda: now)
    results = in_parallel([refresh] * TICKS)
    assert [r for r in results if isinstance(r, Exception)] == []
    return CoinPrice.objects.filter(coin="bitcoin").count()


@pytest.mark.django_db(transaction=True)
@pytest.mark.proof(
    "Ticks of all replicas at once",
    size=f"{TICKS} in parallel",
    control="test_control_without_the_unique_key_each_tick_stores_a_row",
)
def test_ten_ticks_at_once_store_one_row_for_each_coin(
    real_mysql: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert parallel_ticks(monkeypatch) == 1
    assert CoinPrice.objects.count() == len(COINS)


@contextmanager
def no_unique_key() -> Iterator[None]:
    key = next(c for c in CoinPrice._meta.constraints if c.name == "coin_price_once")
    with connection.schema_editor() as editor:
        editor.remove_constraint(CoinPrice, key)
    try:
        yield
    finally:
        CoinPrice.objects.all().delete()
        with connection.schema_editor() as editor:
            editor.add_constraint(CoinPrice, key)


@pytest.mark.django_db(transaction=True)
def test_control_without_the_unique_key_each_tick_stores_a_row(
    real_mysql: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with no_unique_key():
        assert parallel_ticks(monkeypatch) == TICKS


@pytest.mark.django_db(transaction=True)
def test_one_of_ten_takes_the_turn(real_mysql: None) -> None:
    results = in_parallel([lambda: services.prices_tick(every=900)] * TICKS)
    assert sorted(results) == [0] * (TICKS - 1) + [len(COINS)]


@pytest.mark.django_db(transaction=True)
def test_ten_calls_at_once_spend_no_more_than_the_budget(real_mysql: None, settings: Any) -> None:
    settings.MARKET_LIMITS = {"coingecko": {"minute": 0, "day": 4, "month": 0}}

    def call() -> str:
        try:
            return budgets.provider_call(
                provider="coingecko", purpose=Purpose.CHECKOUT, credits=1, call=lambda: "asked"
            )
        except NotNow:
            return "not now"

    results = in_parallel([call] * TICKS)
    assert sorted(map(str, results)) == ["asked"] * 4 + ["not now"] * 6
    assert ProviderUse.objects.get().used == 4


@pytest.mark.django_db
def test_a_lost_cache_gives_no_budget_back(settings: Any) -> None:
    settings.MARKET_LIMITS = {"coingecko": {"minute": 2, "day": 0, "month": 0}}
    answers = []
    for _ in range(4):
        cache.clear()
        local.clear()
        try:
            answers.append(
                budgets.provider_call(
                    provider="coingecko", purpose=Purpose.CHECKOUT, credits=1, call=lambda: "asked"
                )
            )
        except NotNow as refused:
            answers.append(refused.reason)
    assert answers[:2] == ["asked", "asked"]
    # Unless the minute has just turned.
    assert "minute" in answers[2:]


@pytest.mark.django_db
def test_a_tick_is_due_again_after_its_time() -> None:
    assert services.prices_tick(every=900) == len(COINS)
    MarketTurn.objects.filter(name="tick").update(taken_at=clock.now() - timedelta(seconds=901))
    assert services.prices_tick(every=900) == len(COINS)


@pytest.mark.django_db
def test_old_prices_go_but_never_the_newest_hundred(settings: Any) -> None:
    now = clock.now()
    for age in range(105):
        priced(at=now - timedelta(days=100, minutes=age))
    priced("ethereum", "3500", at=now - timedelta(days=100))
    assert services.market_forget() == 5
    assert CoinPrice.objects.filter(coin="bitcoin").count() == 100
    assert CoinPrice.objects.filter(coin="ethereum").count() == 1


# Rates that money is taken at.


@pytest.mark.django_db
def test_a_quote_promises_a_fresh_rate_for_a_while() -> None:
    priced("ethereum", "3456.789")
    rate = services.rate_for_checkout(token="ETH")
    with transaction.atomic():
        made = services.quote_create(rate=rate)
    kept = Quote.objects.get(pk=made.pk)
    assert (kept.rate, kept.source) == (3456789 * 10**15, "simulated")
    assert kept.expires_at - kept.quoted_at == timedelta(minutes=15)
    assert rate.base_units(345_679) == 10**18 * 3456790 // 3456789 + 1


@pytest.mark.django_db
def test_a_rate_older_than_ten_minutes_takes_no_money(settings: Any) -> None:
    settings.MARKET_PROVIDERS = ["coinmarketcap"]
    settings.COINMARKETCAP_URL = "http://127.0.0.1:1"
    old = clock.now() - timedelta(minutes=11)
    priced("ethereum", "3500", at=old, provider="coinmarketcap")
    with pytest.raises(RateUnavailable) as refused:
        services.rate_for_checkout(token="ETH", methods=("stripe", "wallet"))
    assert (refused.value.status, refused.value.code) == (503, "rate_unavailable")
    assert refused.value.extra == {"methods": ["stripe", "wallet"]}
    assert "stripe or wallet" in refused.value.detail


@pytest.mark.django_db
def test_nine_minutes_are_young_enough() -> None:
    at = clock.now() - timedelta(minutes=9)
    priced("ethereum", "3500", at=at)
    assert services.rate_for_checkout(token="ETH").as_of == at


@pytest.mark.django_db
def test_a_token_that_is_not_payable_has_no_rate() -> None:
    with pytest.raises(UnknownToken):
        services.rate_for_checkout(token="DOGE")


@pytest.mark.django_db
def test_one_of_many_buyers_fetches_and_the_others_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services.quotes, "WAIT_SECONDS", 0.2)
    monkeypatch.setattr(services.quotes, "LOOK_SECONDS", 0.01)
    turn = store.fetching_begin("ethereum")
    assert turn is not None
    with pytest.raises(RateUnavailable):
        services.rate_for_checkout(token="ETH")
    # Of another coin nobody has asked for the price.
    assert services.rate_for_checkout(token="USDC").rate > 0
    store.fetching_end("ethereum", turn, found=True)
    assert services.rate_for_checkout(token="ETH").rate > 0


@pytest.mark.django_db
def test_who_waits_asks_himself_where_the_first_brought_nothing() -> None:
    turn = store.fetching_begin("ethereum")
    assert turn is not None
    store.fetching_end("ethereum", turn, found=False)
    assert store.fetching_begin("ethereum") is None
    assert services.rate_for_checkout(token="ETH").rate > 0


def test_who_took_too_long_does_not_end_the_turn_of_another() -> None:
    late = store.fetching_begin("ethereum")
    assert late is not None
    cache.clear()  # its time was over
    turn = store.fetching_begin("ethereum")
    store.fetching_end("ethereum", late, found=True)
    assert store.fetching_begin("ethereum") is None
    assert turn is not None
    store.fetching_end("ethereum", turn, found=True)
    assert store.fetching_begin("ethereum") is not None


@pytest.mark.django_db
def test_without_redis_a_rate_is_fetched_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: Any, **__: Any) -> Any:
        raise store.RedisError

    monkeypatch.setattr(
        store, "get_redis_connection", lambda _: SimpleNamespace(set=away, eval=away)
    )
    assert services.rate_for_checkout(token="ETH").rate > 0


# The channel.


@pytest.mark.django_db
def test_a_message_on_the_channel_is_heard_and_others_are_passed_over() -> None:
    assert store.is_shared(), "needs Redis: make test"
    heard: list[None] = []

    def listen() -> None:
        for _ in store.triggers():
            heard.append(None)
            return

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    redis: Any = get_redis_connection("default")
    until = time.monotonic() + 10
    while not redis.publish(store.channel(), "nonsense") and time.monotonic() < until:
        time.sleep(0.01)
    redis.publish(store.channel(), '{"trigger": "other"}')
    assert not heard
    assert services.trigger_send(every=900) == 1
    listener.join(120)
    assert heard == [None]


@pytest.mark.django_db
def test_nothing_is_asked_for_before_it_is_time() -> None:
    services.prices_tick(every=900)
    assert services.trigger_send(every=900) == 0


@pytest.mark.parametrize("text", ['{"trigger":"update"}', b'{ "trigger" : "update" }'])
def test_a_trigger_is_known_by_its_content(text: Any) -> None:
    assert store.is_trigger(text)


@pytest.mark.parametrize("text", ["", "{", "[]", "1", '{"trigger":"x"}', b"\xff", None])
def test_anything_else_is_none(text: Any) -> None:
    assert not store.is_trigger(text)


@pytest.mark.django_db
def test_what_is_believed_of_the_past_ends_after_a_day() -> None:
    now = clock.now()
    priced("bitcoin", "40000", at=now - timedelta(hours=23))
    assert selectors.believed([BY_ID["bitcoin"]], now) == {"bitcoin": Decimal(40000)}
    assert selectors.believed([BY_ID["bitcoin"]], now + timedelta(hours=2)) == {}

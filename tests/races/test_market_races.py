"""Buyers who need rates at the same moment: one asks for each coin, and nobody for another's."""

import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest

from payments.market import services, store
from payments.market.errors import RateUnavailable
from payments.market.rules.coins import Coin
from payments.market.services import quotes
from tests.races.parallel import in_parallel

pytestmark = pytest.mark.django_db(transaction=True)

BUYERS = 12
# A fetch takes longer than anybody waits for one.
WAIT, FETCH = 0.5, 2.5


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often providers were asked for the price of each coin, which takes them a while."""
    found: Counter[str] = Counter()
    refresh = quotes.prices_refresh

    def slow(*, coins: Sequence[Coin], **more: Any) -> Any:
        found.update(coin.id for coin in coins)
        time.sleep(FETCH)
        return refresh(coins=coins, **more)

    monkeypatch.setattr(quotes, "prices_refresh", slow)
    return found


def rates(*tokens: str) -> list[Any]:
    """What each buyer got; they come at the same moment."""
    return in_parallel([lambda t=token: services.rate_for_checkout(token=t) for token in tokens])


def test_buyers_of_two_coins_do_not_wait_for_each_other(
    asked: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quotes, "WAIT_SECONDS", WAIT)
    found = rates("ETH", "USDC")
    assert [rate for rate in found if isinstance(rate, Exception)] == []
    assert set(asked.values()) == {1}


def test_control_with_one_key_for_all_coins_a_buyer_has_no_rate(
    asked: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quotes, "WAIT_SECONDS", WAIT)
    monkeypatch.setattr(store, "_fetching", lambda _: "market:fetching")
    assert sum(isinstance(rate, RateUnavailable) for rate in rates("ETH", "USDC")) == 1


def test_of_many_buyers_of_a_coin_one_asks(
    asked: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quotes, "WAIT_SECONDS", 60.0)
    found = rates(*["ETH"] * BUYERS, *["USDC"] * BUYERS)
    assert [rate for rate in found if isinstance(rate, Exception)] == []
    assert sorted(asked.values()) == [1, 1]


def in_vain(monkeypatch: pytest.MonkeyPatch) -> int:
    """How often the providers are asked for a price that none has, by buyers who come at once."""
    calls: list[int] = []
    monkeypatch.setattr(quotes, "prices_refresh", lambda **_: calls.append(1))
    monkeypatch.setattr(quotes, "WAIT_SECONDS", 0.8)
    found = rates(*["ETH"] * BUYERS)
    assert {type(rate) for rate in found} == {RateUnavailable}
    return len(calls)


def test_a_price_that_nobody_has_does_not_eat_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "AGAIN_SECONDS", 60)
    assert in_vain(monkeypatch) == 1


def test_control_without_a_moments_rest_one_after_the_other_asks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(store, "AGAIN_SECONDS", 0)
    assert in_vain(monkeypatch) > 1

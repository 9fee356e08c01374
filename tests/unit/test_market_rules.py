"""Coins, sanity of prices, deviation, budgets and the simulated walk."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.market.errors import Trouble
from payments.market.rules import budgets, coins, prices, simulation
from payments.market.rules.budgets import Limits, Purpose, Window
from payments.market.rules.prices import Bounds, Price, Reading

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
BOUNDS = Bounds(jump=Decimal(3), first=Decimal(50), oldest=timedelta(hours=6))
BITCOIN = coins.BY_ID["bitcoin"]


def refused(
    price: str, *, before: str | None = "40000", at: datetime = NOON, near: str = "100000"
) -> str | None:
    return prices.refusal(
        Reading("bitcoin", Decimal(price), at),
        before=None if before is None else Decimal(before),
        near=Decimal(near),
        now=NOON,
        bounds=BOUNDS,
    )


@pytest.mark.parametrize("text", ["bitcoin", "BTC", " Bitcoin ", "xbt"])
def test_a_coin_is_found_by_each_of_its_names(text: str) -> None:
    found = coins.find(text)
    assert found is not None
    assert (found.coin.id, found.notice) == ("bitcoin", None)


def test_a_retired_id_leads_to_the_coin_that_it_was_retired_for_and_says_so() -> None:
    found = coins.find("matic-network")
    assert found is not None
    assert found.coin.id == "polygon-ecosystem-token"
    assert "retired" in (found.notice or "")


@pytest.mark.parametrize("text", ["", " ", "no-such", "bitcoin\0", "ビットコイン"])
def test_what_is_no_coin_is_not_found(text: str) -> None:
    assert coins.find(text) is None


def test_no_two_coins_share_a_name_or_a_providers_id() -> None:
    names = [name for coin in coins.COINS for name in set(coins._names(coin))]
    assert len(names) == len(set(names))
    assert len({coin.coinmarketcap for coin in coins.COINS}) == len(coins.COINS)


@pytest.mark.parametrize(
    ("price", "code"),
    [
        ("NaN", "not_a_number"),
        ("sNaN", "not_a_number"),
        ("Infinity", "not_a_number"),
        ("-Infinity", "not_a_number"),
        ("0", "not_positive"),
        ("-0", "not_positive"),
        ("-40000", "not_positive"),
        ("1e-19", "not_positive"),
        ("1e-999999", "not_positive"),
        ("1e308", "out_of_bounds"),
        ("1e999999", "out_of_bounds"),
        ("4000000", "jumped"),
        ("400", "jumped"),
        ("40001", None),
        ("120000", None),
        ("120001", "jumped"),
    ],
)
def test_a_price_that_cannot_be_is_refused(price: str, code: str | None) -> None:
    assert refused(price) == code


def test_the_first_price_is_held_against_what_the_coin_list_has() -> None:
    assert refused("67000", before=None) is None
    assert refused("6700000", before=None) == "far_off"
    assert refused("670", before=None) == "far_off"


def test_a_reading_of_another_time_says_nothing_of_now() -> None:
    assert refused("40000", at=NOON - timedelta(hours=7)) == "stale"
    assert refused("40000", at=NOON + timedelta(hours=1)) == "in_the_future"
    assert refused("40000", at=NOON + timedelta(minutes=4)) is None


@given(st.decimals(min_value="1e-18", max_value="1e12", places=18))
def test_a_stored_price_comes_back_as_it_was(price: Decimal) -> None:
    assert prices.from_units(prices.to_units(price)) == price


def test_the_deviation_is_of_the_population() -> None:
    found = prices.deviation([Decimal(n) for n in (40000, 45000, 50000)])
    assert abs(found - Decimal("4082.48290463863016366")) < Decimal("1e-15")
    assert prices.shown(found) == Decimal("4082.48")


def test_the_deviation_of_a_cheap_coin_keeps_its_digits() -> None:
    found = prices.deviation([Decimal("0.361"), Decimal("0.362"), Decimal("0.3635")])
    assert prices.shown(found) == Decimal("0.00102740")
    assert prices.shown(prices.deviation([Decimal("0.36")])) == 0


def test_no_prices_have_no_deviation() -> None:
    with pytest.raises(ValueError, match="no prices"):
        prices.deviation([])


def test_numbers_of_json_are_whole_where_they_can_be() -> None:
    assert prices.number(Decimal(104245)) == 104245
    assert isinstance(prices.number(Decimal("104245.000")), int)
    assert prices.number(Decimal("0.36")) == 0.36
    assert prices.number(None) is None


@given(
    minor=st.integers(1, 10**12),
    rate=st.decimals(min_value="1e-9", max_value="1e9", places=9),
    decimals=st.integers(0, 18),
)
def test_an_amount_rounds_up_by_less_than_one_base_unit(
    minor: int, rate: Decimal, decimals: int
) -> None:
    found = prices.base_units(minor, per_major=100, rate=rate, decimals=decimals)
    exact = Fraction(minor, 100) / Fraction(rate) * 10**decimals
    assert 0 <= found - exact < 1


def test_a_chart_is_thinned_evenly_to_its_last_point() -> None:
    points = [
        Price("bitcoin", Decimal(n), NOON + timedelta(minutes=n), "simulated") for n in range(1001)
    ]
    found = prices.thinned(points, 100)
    assert (len(found), found[-1]) == (100, points[-1])
    assert prices.thinned(points[:5], 100) == points[:5]


# Budgets.


def test_windows_begin_and_end_by_utc() -> None:
    moment = datetime(2028, 2, 29, 23, 59, 30, tzinfo=UTC)
    ends = {window: budgets.resets(window, moment) for window in Window}
    assert ends[Window.MINUTE] == ends[Window.DAY] == ends[Window.MONTH]
    assert ends[Window.DAY] == datetime(2028, 3, 1, tzinfo=UTC)
    assert budgets.starts(Window.MONTH, moment) == datetime(2028, 2, 1, tzinfo=UTC)


def cap(purpose: Purpose, now: datetime, **used: int) -> dict[Window, int]:
    limits = Limits(minute=30, day=333, month=10_000)
    spent = {Window(window): count for window, count in used.items()}
    return budgets.caps(limits, spent, purpose=purpose, now=now)


def test_a_checkout_may_take_what_ticks_must_leave() -> None:
    late = datetime(2026, 11, 30, 23, 59, tzinfo=UTC)
    assert cap(Purpose.CHECKOUT, late) == {"minute": 30, "day": 333, "month": 10_000}
    assert cap(Purpose.TICK, late) == {"minute": 27, "day": 299, "month": 9_000}


def test_a_day_is_spread_over_its_hours() -> None:
    midnight = datetime(2026, 11, 21, tzinfo=UTC)
    found = [
        cap(Purpose.TICK, midnight + timedelta(hours=h), month=6_000)["day"] for h in range(24)
    ]
    assert found == sorted(found)
    assert found[0] == 13
    assert found[23] == 299


def test_what_is_left_of_a_month_is_shared_among_its_days() -> None:
    evening = datetime(2026, 11, 21, 23, tzinfo=UTC)
    # 3,000 of 9,000 are left, and ten days with this one.
    assert cap(Purpose.TICK, evening, month=6_050, day=50)["day"] == 299
    assert cap(Purpose.TICK, evening, month=8_050, day=50)["day"] == 100
    assert cap(Purpose.TICK, evening, month=9_050, day=50)["day"] == 0


def test_no_limits_have_no_caps() -> None:
    assert budgets.caps(Limits(), {}, purpose=Purpose.TICK, now=NOON) == {}


@pytest.mark.parametrize(
    ("trouble", "until"),
    [
        (Trouble.MINUTE_USED, datetime(2026, 11, 21, 12, 1, tzinfo=UTC)),
        (Trouble.DAY_USED, datetime(2026, 11, 22, tzinfo=UTC)),
        (Trouble.MONTH_USED, datetime(2026, 12, 1, tzinfo=UTC)),
        (Trouble.REFUSED, NOON + timedelta(hours=1)),
        (Trouble.UNREACHABLE, None),
        (Trouble.GARBLED, None),
    ],
)
def test_a_provider_is_left_alone_until_the_exact_reset(
    trouble: Trouble, until: datetime | None
) -> None:
    assert budgets.open_until(trouble, failures=1, now=NOON) == until


def test_failures_in_a_row_are_waited_out_longer_and_longer() -> None:
    waits = [
        budgets.open_until(Trouble.UNREACHABLE, failures=count, now=NOON) for count in range(1, 12)
    ]
    minutes = [None if wait is None else (wait - NOON).seconds // 60 for wait in waits]
    assert minutes == [None, None, 1, 2, 4, 8, 15, 15, 15, 15, 15]


def test_a_longer_wait_that_the_provider_asks_for_is_kept() -> None:
    asked = timedelta(minutes=10)
    until = budgets.open_until(Trouble.MINUTE_USED, failures=1, now=NOON, retry_after=asked)
    assert until == NOON + asked


# The simulated feed.


def test_the_walk_is_the_same_for_all_and_moves() -> None:
    minute = timedelta(minutes=1)
    assert simulation.reading(BITCOIN, NOON) == simulation.reading(BITCOIN, NOON + minute / 2)
    found = {simulation.reading(BITCOIN, NOON + n * minute).price for n in range(60)}
    assert len(found) > 30


@pytest.mark.parametrize("coin", coins.COINS, ids=lambda coin: coin.id)
def test_the_walk_stays_plausible(coin: coins.Coin) -> None:
    found = [simulation.reading(coin, NOON + n * timedelta(hours=37)) for n in range(100)]
    assert all(prices.agree(each.price, coin.near, Decimal("1.35")) for each in found)
    assert all(abs(each.change_24h or 0) < 25 for each in found)

"""Buying coins over HTTP, against the venue's sandbox: orders, batches, and what the venue saw."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from common import clock
from payments.exchange.models import ExchangeBatch, ExchangeOrder
from payments.market.models import CoinPrice
from tests.api.documented import watched
from tests.factories.exchange import (
    CURRENCIES,
    ORDERS,
    again,
    ask,
    bought,
    buy,
    fund,
    listed,
    purchases,
    rich,
    the_batch,
    venue,
    wallet,
)
from tests.factories.market import priced
from tests.factories.orders import own_rollbacks, post, settled
from tests.factories.users import UserFactory, client_for

__all__ = ["own_rollbacks", "settled", "venue"]
pytestmark = [
    pytest.mark.django_db,
    pytest.mark.usefixtures("own_rollbacks", "settled", "venue", "coins"),
]
Drain = Callable[..., int]


@pytest.fixture
def coins(db: None) -> None:
    listed("ABAN")


@pytest.fixture(autouse=True)
def undocumented(monkeypatch: pytest.MonkeyPatch) -> Any:
    found = watched(monkeypatch)
    yield
    assert found == []


# The two examples of the assignment


def test_three_aban_take_12_dollars_and_are_bought_at_once(venue: Any, drain: Drain) -> None:
    buyer = rich(100_00)
    order = buy(buyer, "ABAN", "3")
    assert (order["status"], order["unit_price"], order["cost"]) == ("settling", "4.00", "12.00")
    assert wallet(buyer)["USD"] == ("88.00", "12.00")
    drain()
    assert purchases(venue) == [("ABAN", "3")]
    done = again(buyer, order)
    assert (done["status"], done["filled"], done["charged"]) == ("settled", "3.00000000", "12.00")
    assert wallet(buyer) == {"USD": ("88.00", "0.00"), "ABAN": ("3.00000000", "0.00000000")}


def test_one_aban_each_of_three_users_is_one_call_after_the_third(venue: Any, drain: Drain) -> None:
    buyers = [rich(10_00) for _ in range(3)]
    orders = []
    for number, buyer in enumerate(buyers, start=1):
        orders.append(buy(buyer, "ABAN", "1"))
        drain()
        assert wallet(buyer)["USD"][0] == "6.00"
        assert purchases(venue) == ([("ABAN", "3")] if number == 3 else [])
    assert len({order["batch"] for order in orders}) == 1
    for buyer, order in zip(buyers, orders, strict=True):
        assert again(buyer, order)["status"] == "settled"
        assert wallet(buyer)["ABAN"] == ("1.00000000", "0.00000000")


def test_coins_dearer_than_the_minimum_settle_in_tiny_orders(venue: Any, drain: Drain) -> None:
    buyer = rich(100_00)
    orders = [buy(buyer, "BTC", "0.05") for _ in range(3)]
    assert [order["cost"] for order in orders] == ["3.35"] * 3
    drain()
    assert purchases(venue) == [("BTC", "0.15")]
    assert wallet(buyer) == {"USD": ("89.95", "0.00"), "BTC": ("0.15000000", "0.00000000")}


def test_exactly_ten_dollars_is_enough_and_a_hair_less_is_not(venue: Any, drain: Drain) -> None:
    buyer = rich(100_00)
    less = buy(buyer, "ABAN", "2.49999999")
    assert (less["cost"], less["status"]) == ("10.00", "pooled")
    enough = buy(buyer, "ABAN", "2.5")
    assert (enough["cost"], enough["status"]) == ("10.00", "settling")
    drain()
    assert purchases(venue) == [("ABAN", "2.5")]


def test_orders_of_different_coins_do_not_wait_for_each_other(venue: Any, drain: Drain) -> None:
    buyer = rich(100_00)
    buy(buyer, "ABAN", "2")
    buy(buyer, "BTC", "0.1")
    drain()
    assert purchases(venue) == []
    buy(buyer, "ABAN", "0.5")
    drain()
    assert purchases(venue) == [("ABAN", "2.5")]


def test_a_thousandth_of_a_cent_costs_a_cent_and_does_not_count_for_one(
    venue: Any, drain: Drain
) -> None:
    buyer = rich(100_00)
    buy(buyer, "ABAN", "2.49")
    for _ in range(5):
        assert buy(buyer, "ABAN", "0.00000001")["cost"] == "0.01"
    drain()
    assert purchases(venue) == []
    assert the_batch().cost == 996 + 5


# The answer


def test_the_currencies_are_those_of_the_assignment(api: Any) -> None:
    rows = {row["symbol"]: row for row in api.get(CURRENCIES).json()["results"]}
    assert (rows["BTC"]["price"], rows["ABAN"]["price"]) == ("67.00", "4.00")
    assert {row["minimum_settlement"] for row in rows.values()} == {"10.00"}


def test_an_order_is_shown_to_its_owner_alone() -> None:
    mine, other = rich(), rich()
    order = buy(mine)
    assert mine.get(f"{ORDERS}{order['id']}/").json() == order
    assert other.get(f"{ORDERS}{order['id']}/").status_code == 404
    assert [row["id"] for row in mine.get(ORDERS).json()["results"]] == [order["id"]]
    assert other.get(ORDERS).json()["results"] == []


def test_a_list_is_filtered_by_status_and_coin() -> None:
    buyer = rich()
    buy(buyer, "ABAN", "1")
    buy(buyer, "BTC", "1")

    def found(query: str) -> list[str]:
        return [row["currency"] for row in buyer.get(f"{ORDERS}?{query}").json()["results"]]

    assert (found("status=pooled"), found("status=settling")) == (["ABAN"], ["BTC"])
    assert found("currency=BTC") == ["BTC"]
    assert buyer.get(f"{ORDERS}?status=lost").status_code == 400
    assert buyer.get(f"{ORDERS}?currency=NONE").status_code == 400


def test_the_same_key_is_the_same_order(venue: Any, drain: Drain) -> None:
    buyer = rich(100_00)
    first, second = (ask(buyer, "ABAN", "3", key="k") for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 201)
    assert second["Idempotent-Replayed"] == "true"
    assert first.json()["id"] == second.json()["id"]
    assert ask(buyer, "ABAN", "4", key="k").json()["code"] == "idempotency_key_reused"
    drain()
    assert purchases(venue) == [("ABAN", "3")]
    assert wallet(buyer)["USD"] == ("88.00", "0.00")


def test_a_price_that_changes_later_changes_no_order(drain: Drain) -> None:
    buyer = rich(100_00)
    order = buy(buyer, "ABAN", "1")
    row = listed("ABAN")
    type(row).objects.filter(pk=row.pk).update(price=8 * 10**18)
    assert again(buyer, order)["cost"] == "4.00"
    assert buy(buyer, "ABAN", "1")["cost"] == "8.00"


# Cancelling


def test_a_pooled_order_is_cancelled_and_all_of_its_money_is_free(venue: Any, drain: Drain) -> None:
    buyer, other = rich(100_00), rich(100_00)
    order = buy(buyer, "ABAN", "2")
    answer = post(buyer, f"{ORDERS}{order['id']}/cancel/", key="c")
    assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
    assert answer.json()["batch"] is None
    assert wallet(buyer)["USD"] == ("100.00", "0.00")
    assert post(buyer, f"{ORDERS}{order['id']}/cancel/", key="c")["Idempotent-Replayed"] == "true"
    again_ = post(buyer, f"{ORDERS}{order['id']}/cancel/")
    assert (again_.status_code, again_.json()["current"]) == (409, "cancelled")
    # What it was worth does not count any more.
    buy(other, "ABAN", "2")
    drain()
    assert purchases(venue) == []


def test_what_is_settling_or_settled_is_not_cancelled(drain: Drain) -> None:
    buyer = rich(100_00)
    order = buy(buyer, "ABAN", "3")
    for status in ("settling", "settled"):
        answer = post(buyer, f"{ORDERS}{order['id']}/cancel/")
        assert (answer.status_code, answer.json()["code"]) == (409, "invalid_transition")
        assert answer.json()["current"] == status
        drain()


def test_nobody_cancels_another_ones_order() -> None:
    order = buy(rich(100_00))
    assert post(rich(), f"{ORDERS}{order['id']}/cancel/").status_code == 404
    assert ExchangeOrder.objects.get().status == "pooled"


# Refusals


@pytest.mark.parametrize(
    ("body", "field", "code"),
    [
        ({"currency": "DOGE", "amount": "1"}, "currency", "unknown_currency"),
        ({"currency": "USD", "amount": "1"}, "currency", "unknown_currency"),
        ({"currency": "aban", "amount": "1"}, "currency", "unknown_currency"),
        ({"currency": ["ABAN"], "amount": "1"}, "currency", "invalid"),
        ({"currency": "ABAN"}, "amount", "required"),
        ({"amount": "1"}, "currency", "required"),
        ({"currency": "ABAN", "amount": "0"}, "amount", "not_positive"),
        ({"currency": "ABAN", "amount": "-3"}, "amount", "not_positive"),
        ({"currency": "ABAN", "amount": "-0.00"}, "amount", "not_positive"),
        ({"currency": "ABAN", "amount": "NaN"}, "amount", "invalid"),
        ({"currency": "ABAN", "amount": "Infinity"}, "amount", "invalid"),
        ({"currency": "ABAN", "amount": "1e3"}, "amount", "invalid"),
        ({"currency": "ABAN", "amount": "1" * 30}, "amount", "invalid"),
        ({"currency": "ABAN", "amount": "0." + "1" * 30}, "amount", "invalid"),
        ({"currency": "ABAN", "amount": "0.123456789"}, "amount", "too_many_decimals"),
        ({"currency": "ABAN", "amount": "1."}, "amount", "invalid"),
        ({"currency": "ABAN", "amount": "１"}, "amount", "invalid"),
        ({"currency": "ABAN", "amount": ""}, "amount", "invalid"),
        ({"currency": "ABAN", "amount": True}, "amount", "invalid"),
        ({"currency": "ABAN", "amount": ["1"]}, "amount", "invalid"),
        ({"currency": "ABAN", "amount": None}, "amount", "null"),
        ({"currency": "ABAN", "amount": "2500.1"}, "amount", "above_limit"),
        ({"currency": "ABAN", "amount": "1", "price": "0.01"}, "price", "unknown_field"),
        ({"currency": "ABAN", "amount": "1", "unit_price": "0.01"}, "unit_price", "unknown_field"),
        ({"currency": "ABAN", "amount": "1", "cost": "0.01"}, "cost", "unknown_field"),
        ({"currency": "ABAN", "amount": "1", "status": "settled"}, "status", "unknown_field"),
    ],
)
def test_a_wrong_field_is_named_and_nothing_is_stored(
    body: dict[str, Any], field: str, code: str
) -> None:
    buyer = rich(10**9)
    answer = post(buyer, ORDERS, body)
    assert answer.status_code == 400, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    assert {"field": field, "code": code} in [
        {"field": each["field"], "code": each["code"]} for each in answer.json()["errors"]
    ]
    assert not ExchangeOrder.objects.exists()
    assert wallet(buyer)["USD"][1] == "0.00"


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e400"])
def test_a_number_that_is_none_is_malformed(number: str) -> None:
    body = f'{{"currency": "ABAN", "amount": {number}}}'
    answer = rich().post(ORDERS, body, content_type="application/json")
    assert answer.status_code == 400


def test_too_little_money_is_409_with_what_there_is(venue: Any) -> None:
    buyer = rich(3_99)
    answer = ask(buyer, "ABAN", "1", key="k")
    assert (answer.status_code, answer.json()["code"]) == (409, "insufficient_funds")
    assert (answer.json()["available"], answer.json()["currency"]) == ("3.99", "USD")
    assert wallet(buyer)["USD"] == ("3.99", "0.00")
    # As every business refusal, it is the key's answer.
    assert ask(buyer, "ABAN", "1", key="k").status_code == 409
    assert not ExchangeOrder.objects.exists()
    assert not ExchangeBatch.objects.filter(members__gt=0).exists()


def test_somebody_without_a_wallet_has_nothing(api: Any) -> None:
    assert ask(api).json()["available"] == "0.00"


def test_without_a_venue_no_order_is_taken(settings: Any) -> None:
    settings.EXCHANGE_VENUE_URL = ""
    answer = ask(rich())
    assert (answer.status_code, answer.json()["code"]) == (503, "exchange_closed")
    assert int(answer["Retry-After"]) > 0


def test_a_coin_that_is_not_for_sale_any_more_is_unknown() -> None:
    row = listed("ABAN")
    type(row).objects.filter(pk=row.pk).update(active=False)
    assert ask(rich()).json()["code"] == "unknown_currency"


# A price that follows the market


def test_a_price_follows_the_market_where_settings_say_so(settings: Any, api: Any) -> None:
    settings.EXCHANGE_FOLLOWS_MARKET = ["BTC"]
    priced("bitcoin", "40000")
    order = buy(rich(100_00), "BTC", "0.0001")
    assert (order["unit_price"], order["cost"]) == ("40000.00", "4.00")
    assert order["price_source"] == "simulated"
    rows = {row["symbol"]: row for row in api.get(CURRENCIES).json()["results"]}
    assert (rows["BTC"]["price"], rows["BTC"]["source"]) == ("40000.00", "simulated")
    assert rows["ABAN"]["source"] == "fixed"


def test_a_price_that_is_not_to_be_trusted_is_503(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.EXCHANGE_FOLLOWS_MARKET = ["BTC"]
    CoinPrice.objects.all().delete()
    priced("bitcoin", "40000", at=clock.now() - timedelta(hours=1))
    monkeypatch.setattr("payments.market.services.quotes.prices_refresh", lambda **_: set())
    answer = ask(rich(), "BTC", "0.0001")
    assert (answer.status_code, answer.json()["code"]) == (503, "rate_unavailable")
    assert int(answer["Retry-After"]) > 0
    assert not ExchangeOrder.objects.exists()


def test_a_coin_that_the_market_does_not_know_has_no_price_to_follow(settings: Any) -> None:
    settings.EXCHANGE_FOLLOWS_MARKET = ["ABAN"]
    assert ask(rich()).json()["code"] == "rate_unavailable"


# Every cent and unit


def test_many_small_orders_of_odd_size_add_up(venue: Any, drain: Drain) -> None:
    buyers = [rich(100_00) for _ in range(7)]
    for number, buyer in enumerate(buyers * 3, start=1):
        buy(buyer, "ABAN", f"0.{number + 20}33333")
    drain()
    total = sum(Decimal(filled) for filled in bought(venue).values())
    settled_ones = ExchangeOrder.objects.filter(status="settled")
    assert total * 10**8 == sum(order.filled for order in settled_ones)
    assert len(bought(venue)) == len(purchases(venue)) == 2


def test_money_that_is_held_for_one_order_pays_no_other() -> None:
    buyer = client_for(fund(UserFactory(), 5_00))
    buy(buyer, "ABAN", "1")
    assert ask(buyer, "ABAN", "1").json()["available"] == "1.00"

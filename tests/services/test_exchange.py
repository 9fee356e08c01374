"""What the venue may do to a batch, what becomes of one that waits, and that it is found out."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now

from accounts.ledger.rules import Kind
from accounts.ledger.selectors import house_balances
from payments.exchange import gateway, services
from payments.exchange.models import ExchangeAttempt, ExchangeBatch, ExchangeOrder
from payments.exchange.services import decide, send
from tests.factories.exchange import (
    COIN,
    again,
    bought,
    buy,
    listed,
    purchases,
    rich,
    the_batch,
    venue,
    wallet,
)
from tests.factories.orders import own_rollbacks, settled

__all__ = ["own_rollbacks", "settled", "venue"]
pytestmark = [
    pytest.mark.django_db,
    pytest.mark.usefixtures("own_rollbacks", "settled", "coins"),
]
Drain = Callable[..., int]


@pytest.fixture
def coins(db: None) -> None:
    listed("ABAN")


@pytest.fixture(autouse=True)
def _short(settings: Any) -> None:
    settings.EXCHANGE_VENUE_TIMEOUT_SECONDS = 1.0


def house(kind: Kind, currency: str = "ABAN") -> int:
    return house_balances().get((kind, currency), 0)


# Answers


@pytest.mark.parametrize(
    "kind",
    [
        *("timeout", "500", "reset", "html", "401"),
        *("timeout_after", "500_after", "reset_after", "truncated", "garbled"),
    ],
)
def test_whatever_happens_to_the_answer_it_is_one_purchase(
    venue: Any, drain: Drain, kind: str
) -> None:
    buyer = rich(100_00)
    order = buy(buyer, "ABAN", "3")
    venue.fault(kind, seconds=1.5)
    drain()
    assert again(buyer, order)["status"] == "settling"
    assert ExchangeAttempt.objects.get().error
    drain(later=True)
    assert again(buyer, order)["status"] == "settled"
    assert list(bought(venue).values()) == ["3"]
    assert wallet(buyer)["ABAN"][0] == "3.00000000"


def test_an_unknown_outcome_is_asked_for_and_not_sent_again(venue: Any, drain: Drain) -> None:
    buy(rich(100_00), "ABAN", "3")
    venue.fault("timeout_after", seconds=1.5)
    drain()
    drain(later=True)
    assert purchases(venue) == [("ABAN", "3")]
    assert [call["status"] for call in venue.calls("GET")] == [200]


def test_what_the_venue_never_heard_of_is_sent_under_the_same_id(venue: Any, drain: Drain) -> None:
    buy(rich(100_00), "ABAN", "3")
    venue.fault("reset", times=2)
    drain()
    drain(later=True)
    attempt = ExchangeAttempt.objects.get()
    assert (attempt.number, attempt.asks, attempt.state) == (1, 3, "filled")
    assert {call["status"] for call in venue.calls("GET")} == {404}
    assert [call["body"]["client_order_id"] for call in venue.calls("POST")] == [
        attempt.client_order_id
    ]


def test_a_404_of_somebody_on_the_way_is_no_leave_to_send_again(
    venue: Any, drain: Drain, settings: Any
) -> None:
    buy(rich(100_00), "ABAN", "3")
    venue.fault("timeout_after", seconds=1.5)
    drain()
    settings.EXCHANGE_VENUE_URL = f"{venue.url}/elsewhere"
    drain(later=True)
    assert ExchangeAttempt.objects.get().state == "asked"
    settings.EXCHANGE_VENUE_URL = venue.url
    drain(later=True)
    assert purchases(venue) == [("ABAN", "3")]


def test_a_slow_answer_is_an_answer(venue: Any, drain: Drain) -> None:
    buyer = rich(100_00)
    order = buy(buyer, "ABAN", "3")
    venue.fault("slow", seconds=0.1)
    drain()
    assert again(buyer, order)["status"] == "settled"


def test_an_order_that_the_venue_works_on_is_asked_about_until_it_is_done(
    venue: Any, drain: Drain
) -> None:
    buyer = rich(100_00)
    order = buy(buyer, "ABAN", "3")
    venue.fault("pending")
    drain()
    assert again(buyer, order)["status"] == "settling"
    drain(later=True)
    assert again(buyer, order)["status"] == "settled"
    assert purchases(venue) == [("ABAN", "3")]


def test_a_refusal_gives_everybody_their_money_back(venue: Any, drain: Drain) -> None:
    buyers = [rich(10_00) for _ in range(3)]
    orders = [buy(buyer, "ABAN", "1") for buyer in buyers]
    venue.fault("refuse")
    drain()
    for buyer, order in zip(buyers, orders, strict=True):
        done = again(buyer, order)
        assert (done["status"], done["reason"]) == ("failed", "refused_by_venue")
        assert wallet(buyer) == {"USD": ("10.00", "0.00")}
    assert the_batch().state == "failed"


def test_an_order_of_which_nothing_was_filled_is_a_refusal(venue: Any, drain: Drain) -> None:
    buyer = rich(100_00)
    order = buy(buyer, "ABAN", "3")
    venue.fault("nothing")
    drain()
    assert again(buyer, order)["status"] == "failed"
    assert wallet(buyer) == {"USD": ("100.00", "0.00")}


def test_a_partial_fill_is_shared_and_the_rest_of_the_money_is_free(
    venue: Any, drain: Drain
) -> None:
    buyers = [rich(10_00) for _ in range(3)]
    orders = [
        buy(buyer, "ABAN", amount)
        for buyer, amount in zip(buyers, ("0.7", "0.9", "1.00000001"), strict=True)
    ]
    # 1.3 of 2.60000001: the last unit goes to the largest remainder.
    venue.fault("partial", value="0.5")
    drain()
    assert the_batch().filled == 130_000_001
    shares = [again(buyer, order)["filled"] for buyer, order in zip(buyers, orders, strict=True)]
    assert shares == ["0.35000000", "0.45000000", "0.50000001"]
    charged = [again(buyer, order)["charged"] for buyer, order in zip(buyers, orders, strict=True)]
    assert charged == ["1.40", "1.80", "2.01"]
    assert [wallet(buyer)["USD"] for buyer in buyers] == [
        ("8.60", "0.00"),
        ("8.20", "0.00"),
        ("7.99", "0.00"),
    ]
    assert house(Kind.EXCHANGE_CLEARING, "USD") == -521


def test_a_member_whose_part_is_less_than_a_unit_fails_beside_others_who_settle(
    venue: Any, drain: Drain
) -> None:
    tiny, other = rich(10_00), rich(100_00)
    small = buy(tiny, "ABAN", "0.00000001")
    large = buy(other, "ABAN", "2.49999999")
    venue.fault("partial", value="0.4")
    drain()
    assert again(tiny, small)["status"] == "failed"
    assert again(other, large)["status"] == "settled"
    assert wallet(tiny) == {"USD": ("10.00", "0.00")}


def test_what_was_filled_beyond_the_order_is_dust_of_the_house(venue: Any, drain: Drain) -> None:
    buyer = rich(100_00)
    buy(buyer, "ABAN", "3")
    venue.fault("dust")
    drain()
    assert wallet(buyer)["ABAN"][0] == "3.00000000"
    assert (the_batch().filled, the_batch().dust) == (3 * COIN + 1, 1)
    assert (house(Kind.DUST), house(Kind.EXCHANGE_CLEARING)) == (-1, 3 * COIN + 1)


# A raised minimum


def test_a_raised_minimum_gives_the_money_back_and_holds_for_the_next_batch(
    venue: Any, drain: Drain
) -> None:
    buyer = rich(100_00)
    order = buy(buyer, "ABAN", "2.5")
    venue.fault("minimum", value="12.00")
    drain()
    done = again(buyer, order)
    assert (done["status"], done["reason"]) == ("failed", "below_minimum")
    assert listed().minimum == 1200
    assert buy(buyer, "ABAN", "2.5")["status"] == "pooled"
    assert buy(buyer, "ABAN", "0.5")["status"] == "settling"
    drain()
    assert purchases(venue)[-1] == ("ABAN", "3")


@pytest.mark.parametrize("minimum", ["1E+29", "10000.01"])
@pytest.mark.parametrize("policy", ["give_back", "top_up"])
def test_a_minimum_that_makes_no_sense_jams_no_batch(
    minimum: str, policy: str, venue: Any, drain: Drain, settings: Any
) -> None:
    settings.EXCHANGE_SHORT_POLICY = policy
    buyer = rich(100_00)
    order = buy(buyer, "ABAN", "2.5")
    venue.fault("minimum", value=minimum)
    drain()
    done = again(buyer, order)
    assert (done["status"], done["reason"]) == ("failed", "refused_by_venue")
    assert listed().minimum == 1000
    assert wallet(buyer) == {"USD": ("100.00", "0.00")}


def test_a_raised_minimum_is_topped_up_by_the_house_under_a_new_id(
    venue: Any, drain: Drain, settings: Any
) -> None:
    settings.EXCHANGE_SHORT_POLICY = "top_up"
    buyer = rich(100_00)
    order = buy(buyer, "ABAN", "2.5")
    venue.fault("minimum", value="12.00")
    drain()
    assert again(buyer, order)["status"] == "settled"
    assert purchases(venue) == [("ABAN", "2.5"), ("ABAN", "3")]
    assert len(set(ExchangeAttempt.objects.values_list("client_order_id", flat=True))) == 2
    assert wallet(buyer) == {"USD": ("90.00", "0.00"), "ABAN": ("2.50000000", "0.00000000")}
    assert house(Kind.INVENTORY) == -COIN // 2


def test_a_venue_that_never_has_enough_is_given_up(venue: Any, drain: Drain, settings: Any) -> None:
    settings.EXCHANGE_SHORT_POLICY = "top_up"
    buyer = rich(100_00)
    order = buy(buyer, "ABAN", "2.5")
    for minimum in ("12.00", "14.00", "16.00", "18.00"):
        venue.fault("minimum", value=minimum)
    drain()
    assert again(buyer, order)["status"] == "failed"
    assert len(purchases(venue)) == 3
    assert wallet(buyer) == {"USD": ("100.00", "0.00")}


def test_a_venue_whose_price_has_fallen_below_ours_gives_the_money_back(
    venue: Any, drain: Drain
) -> None:
    venue.world.prices["ABAN"] = "3.00"
    buyer = rich(100_00)
    order = buy(buyer, "ABAN", "3")
    drain()
    assert again(buyer, order)["reason"] == "below_minimum"
    assert wallet(buyer) == {"USD": ("100.00", "0.00")}


# Waiting too long


def grow_old() -> None:
    ExchangeBatch.objects.update(opened_at=Now() - timedelta(days=1))


def test_a_batch_that_waits_too_long_is_given_back(venue: Any, drain: Drain) -> None:
    buyer = rich(100_00)
    order = buy(buyer, "ABAN", "1")
    assert services.pools_sweep() == 0
    grow_old()
    assert services.pools_sweep() == 1
    drain()
    done = again(buyer, order)
    assert (done["status"], done["reason"]) == ("failed", "waited_too_long")
    assert wallet(buyer) == {"USD": ("100.00", "0.00")}
    assert purchases(venue) == []
    assert services.pools_sweep() == 0


def test_or_it_is_topped_up_by_the_house(venue: Any, drain: Drain, settings: Any) -> None:
    settings.EXCHANGE_SHORT_POLICY = "top_up"
    buyer = rich(100_00)
    order = buy(buyer, "ABAN", "1")
    grow_old()
    services.pools_sweep()
    drain()
    assert purchases(venue) == [("ABAN", "2.5")]
    assert again(buyer, order)["status"] == "settled"
    assert wallet(buyer) == {"USD": ("96.00", "0.00"), "ABAN": ("1.00000000", "0.00000000")}
    assert (house(Kind.INVENTORY), the_batch().house_filled) == (-3 * COIN // 2, 3 * COIN // 2)


def test_a_partial_fill_is_shared_with_the_house_as_well(
    venue: Any, drain: Drain, settings: Any
) -> None:
    settings.EXCHANGE_SHORT_POLICY = "top_up"
    buyer = rich(100_00)
    buy(buyer, "ABAN", "1")
    grow_old()
    services.pools_sweep()
    venue.fault("partial", value="0.5")
    drain()
    assert wallet(buyer) == {"USD": ("98.00", "0.00"), "ABAN": ("0.50000000", "0.00000000")}
    assert the_batch().house_filled == 3 * COIN // 4


def test_who_comes_after_everybody_left_has_the_whole_time(
    venue: Any, drain: Drain, api: Any
) -> None:
    buyer = rich(100_00)
    order = buy(buyer, "ABAN", "1")
    services.order_cancel(order_id=ExchangeOrder.objects.get(uid=order["id"]).pk)
    grow_old()
    assert services.pools_sweep() == 0
    buy(buyer, "ABAN", "1")
    assert services.pools_sweep() == 0


# More than one transaction can hold


def test_a_batch_of_many_members_is_given_out_in_parts(
    venue: Any, drain: Drain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decide, "CHUNK", 2)
    buyers = [rich(10_00) for _ in range(5)]
    for buyer in buyers:
        buy(buyer, "ABAN", "0.5")
    drain()
    assert {wallet(buyer)["ABAN"][0] for buyer in buyers} == {"0.50000000"}
    assert the_batch().state == "settled"


def test_one_customers_orders_of_one_batch_are_all_given(venue: Any, drain: Drain) -> None:
    buyer = rich(100_00)
    for _ in range(5):
        buy(buyer, "ABAN", "0.5")
    drain()
    assert wallet(buyer) == {"USD": ("90.00", "0.00"), "ABAN": ("2.50000000", "0.00000000")}


# Two workers at one batch


def test_while_one_worker_asks_another_one_waits(venue: Any, drain: Drain) -> None:
    buy(rich(100_00), "ABAN", "3")
    batch_id = the_batch().pk
    assert send._attempt_take(batch_id) is not None
    with pytest.raises(send.StillWorking):
        send._attempt_take(batch_id)
    ExchangeAttempt.objects.update(leased_until=Now() - timedelta(seconds=1))
    drain()
    assert purchases(venue) == [("ABAN", "3")]


def test_an_answer_that_comes_twice_counts_once(venue: Any, drain: Drain) -> None:
    buyer = rich(100_00)
    buy(buyer, "ABAN", "3")
    drain()
    attempt = ExchangeAttempt.objects.get()
    answer = gateway.order_find(attempt.client_order_id)
    assert answer is not None
    assert not send.answer_record(attempt_id=attempt.pk, answer=answer)
    services.batch_settle(batch_id=attempt.batch_id)
    assert wallet(buyer)["ABAN"][0] == "3.00000000"


def test_nothing_of_the_venue_is_asked_in_a_transaction(
    venue: Any, drain: Drain, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bool] = []
    call = gateway._call

    def watching(*args: Any, **kwargs: Any) -> Any:
        from common import db  # noqa: PLC0415

        seen.append(db.connection.in_atomic_block)
        return call(*args, **kwargs)

    monkeypatch.setattr(gateway, "_call", watching)
    buy(rich(100_00), "ABAN", "3")
    drain()
    assert seen == [False]

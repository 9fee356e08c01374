"""What staff see of batches, and what they may do about them."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from common.audit.models import AuditEntry
from payments.exchange.models import ExchangeAttempt, ExchangeBatch, ExchangeCurrency
from tests.api.documented import watched
from tests.factories.admin import pages, root, send, text_of
from tests.factories.exchange import (
    BATCHES,
    again,
    buy,
    listed,
    purchases,
    rich,
    the_batch,
    wallet,
)
from tests.factories.orders import own_rollbacks, post, settled

__all__ = ["own_rollbacks", "root", "settled"]
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


def detail(staff: Any) -> Any:
    return staff.get(f"{BATCHES}{the_batch().uid}/").json()


def act(staff: Any, what: str, key: str | None = None) -> Any:
    return post(staff, f"{BATCHES}{the_batch().uid}/{what}/", key=key)


def test_a_batch_is_shown_with_members_attempts_and_the_venues_answer(
    staff_api: Any, drain: Drain
) -> None:
    orders = [buy(rich(10_00), "ABAN", "1") for _ in range(3)]
    drain()
    found = detail(staff_api)
    assert (found["state"], found["orders"], found["cost"]) == ("settled", 3, "12.00")
    assert (found["amount"], found["filled"], found["dust"]) == (
        "3.00000000",
        "3.00000000",
        "0.00000000",
    )
    assert found["venue_cost"] == "12.00"
    assert [member["id"] for member in found["members"]] == [order["id"] for order in orders]
    [attempt] = found["attempts"]
    assert (attempt["state"], attempt["amount"], attempt["asks"]) == ("filled", "3.00000000", 1)
    assert attempt["answer"]["status"] == "filled"
    assert attempt["answer"]["client_order_id"] == attempt["client_order_id"]


def test_the_list_is_filtered_by_state_and_coin(staff_api: Any, drain: Drain) -> None:
    buyer = rich(1000_00)
    buy(buyer, "ABAN", "3")
    drain()
    buy(buyer, "BTC", "1")
    buy(buyer, "ABAN", "1")

    def found(query: str) -> list[tuple[str, str]]:
        rows = staff_api.get(f"{BATCHES}?{query}").json()["results"]
        return [(row["currency"], row["state"]) for row in rows]

    assert found("") == [("ABAN", "open"), ("BTC", "sealed"), ("ABAN", "settled")]
    assert found("state=sealed") == [("BTC", "sealed")]
    assert found("currency=ABAN&state=open") == [("ABAN", "open")]
    assert staff_api.get(f"{BATCHES}?state=lost").status_code == 400


def test_an_open_batch_that_everybody_has_left_is_not_shown(staff_api: Any) -> None:
    buyer = rich(10_00)
    order = buy(buyer, "ABAN", "1")
    post(buyer, f"/api/v1/exchange/orders/{order['id']}/cancel/")
    assert staff_api.get(BATCHES).json()["results"] == []


def test_a_retry_asks_at_once(staff_api: Any, venue: Any, drain: Drain) -> None:
    buyer = rich(100_00)
    order = buy(buyer, "ABAN", "3")
    venue.fault("500")
    drain()
    answer = act(staff_api, "retry", key="r")
    assert (answer.status_code, answer.json()["state"]) == (202, "sealed")
    assert act(staff_api, "retry", key="r")["Idempotent-Replayed"] == "true"
    drain()
    assert again(buyer, order)["status"] == "settled"
    refused = act(staff_api, "retry")
    assert (refused.status_code, refused.json()["current"]) == (409, "settled")


def test_what_waits_is_given_back(staff_api: Any, venue: Any, drain: Drain) -> None:
    buyers = [rich(10_00) for _ in range(2)]
    for buyer in buyers:
        buy(buyer, "ABAN", "1")
    assert act(staff_api, "give-back", key="g").status_code == 200
    drain()
    assert {wallet(buyer)["USD"] for buyer in buyers} == {("10.00", "0.00")}
    assert (the_batch().state, the_batch().reason) == ("failed", "given_back_by_staff")
    assert purchases(venue) == []
    assert act(staff_api, "give-back", key="g").json()["state"] == "failed"
    assert act(staff_api, "give-back").status_code == 409
    assert AuditEntry.objects.filter(action="exchange.give_back").count() == 1


def test_what_is_sealed_and_was_never_sent_is_given_back(
    staff_api: Any, venue: Any, drain: Drain
) -> None:
    buyer = rich(100_00)
    buy(buyer, "ABAN", "3")
    assert act(staff_api, "give-back").status_code == 200
    drain()
    assert purchases(venue) == []
    assert wallet(buyer) == {"USD": ("100.00", "0.00")}


def test_money_does_not_go_back_while_the_venue_may_have_bought(
    staff_api: Any, venue: Any, drain: Drain, settings: Any
) -> None:
    settings.EXCHANGE_VENUE_TIMEOUT_SECONDS = 1.0
    buyer = rich(100_00)
    order = buy(buyer, "ABAN", "3")
    venue.fault("timeout_after", seconds=1.5)
    drain()
    refused = act(staff_api, "give-back")
    assert (refused.status_code, refused.json()["code"]) == (409, "outcome_unknown")
    found = act(staff_api, "reconcile", key="a")
    assert (found.status_code, found.json()["state"]) == (200, "settled")
    assert again(buyer, order)["filled"] == "3.00000000"
    assert act(staff_api, "reconcile", key="a")["Idempotent-Replayed"] == "true"
    assert len(purchases(venue)) == 1


def test_asking_never_sends(staff_api: Any, venue: Any, drain: Drain) -> None:
    buy(rich(100_00), "ABAN", "3")
    assert act(staff_api, "reconcile").json()["state"] == "sealed"
    venue.fault("reset")
    drain()
    assert act(staff_api, "reconcile").json()["state"] == "sealed"
    assert purchases(venue) == []
    assert ExchangeAttempt.objects.get().state == "asked"


def test_a_venue_that_gives_no_answer_is_503(staff_api: Any, venue: Any, drain: Drain) -> None:
    buy(rich(100_00), "ABAN", "3")
    venue.fault("500")
    drain()
    venue.fault("500", finds=True)
    answer = act(staff_api, "reconcile")
    assert (answer.status_code, answer.json()["code"]) == (503, "venue_unreachable")
    assert int(answer["Retry-After"]) > 0


def test_a_batch_that_is_open_has_nothing_to_ask_about(staff_api: Any) -> None:
    buy(rich(10_00), "ABAN", "1")
    assert act(staff_api, "reconcile").status_code == 409


# The admin


def test_the_buttons_of_a_batch_do_what_the_api_does(
    root: Client, venue: Any, drain: Drain
) -> None:
    buyer = rich(100_00)
    buy(buyer, "ABAN", "3")
    batch = the_batch()
    page = text_of(root.get(pages(ExchangeBatch, "change", batch.pk)))
    assert all(words in page for words in ("Try again now", "Ask the venue", "Give back"))
    assert "A worker sees to it." in text_of(send(root, pages(ExchangeBatch, "retry", batch.pk)))
    send(root, pages(ExchangeBatch, "reconcile", batch.pk))
    send(root, pages(ExchangeBatch, "give-back", batch.pk))
    drain()
    assert wallet(buyer) == {"USD": ("100.00", "0.00")}
    page = text_of(root.get(pages(ExchangeBatch, "change", batch.pk)))
    assert "given_back_by_staff" in page
    assert "Try again now" not in page


def test_a_coin_is_listed_and_repriced(root: Client) -> None:
    url = pages(ExchangeCurrency, "add")
    filled = {"symbol": "DOGE", "title": "Dogecoin", "price": "0.19", "minimum": "10.00"}
    send(root, url, **filled)
    row = ExchangeCurrency.objects.get(symbol="DOGE")
    assert (row.price, row.minimum) == (19 * 10**16, 1000)
    assert buy(rich(10_00), "DOGE", "10")["cost"] == "1.90"
    assert "for sale already" in text_of(send(root, url, **filled))
    changed = {"price": "0.2", "minimum": "12", "active": "on"}
    send(root, pages(ExchangeCurrency, "reprice", row.pk), **changed)
    row.refresh_from_db()
    assert (row.price, row.minimum, row.active) == (2 * 10**17, 1200, True)
    wrong = send(root, pages(ExchangeCurrency, "reprice", row.pk), price="0", minimum="-1")
    assert text_of(wrong).count("above zero") == 2

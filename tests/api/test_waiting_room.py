"""The waiting room over HTTP."""

import time
from typing import Any

import pytest
from rest_framework.test import APIClient

from payments.checkout.services import flash
from shop.flash_sales.models import FlashPurchase, FlashRun, FlashSale
from shop.flash_sales.services import run_end
from tests.factories.flash import live_run
from tests.factories.orders import own_rollbacks, post, settled
from tests.factories.users import UserFactory, client_for

__all__ = ["own_rollbacks", "settled"]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_rollbacks", "settled", "sandbox")]


@pytest.fixture
def run() -> FlashRun:
    return live_run(units=5, admission_rate=2)


def url(run: FlashRun, part: str) -> str:
    return f"/api/v1/flash-sales/{run.sale.slug}/{part}"


def purchase(client: Any, run: FlashRun, ticket: str | None, key: str | None = None) -> Any:
    body: dict[str, Any] = {"quantity": 1, "payment": {"method": "stripe"}}
    body |= {} if ticket is None else {"ticket": ticket}
    return post(client, url(run, "purchases/"), body, key=key)


def place(client: Any, run: FlashRun) -> Any:
    answer = client.post(url(run, "queue/"), {}, format="json")
    assert answer.status_code == 200, answer.content
    return answer.json()


def behind(client: Any, run: FlashRun, others: int) -> Any:
    for _ in range(others):
        place(client_for(UserFactory()), run)
    return place(client, run)


def test_only_who_has_been_let_in_may_buy(api: Any, run: FlashRun) -> None:
    refused = purchase(api, run, None)
    assert (refused.status_code, refused.json()["code"]) == (403, "not_admitted")
    assert (refused.json()["position"], refused["Retry-After"]) == (None, "1")
    mine = behind(api, run, 3)
    assert (mine["run"], mine["status"], mine["admitted_until"]) == (1, "waiting", None)
    assert mine["position"] in (3, 4)
    waits = purchase(api, run, mine["ticket"], key="k")
    assert (waits.status_code, waits.json()["position"]) == (403, mine["position"])
    assert int(waits["Retry-After"]) == mine["wait_seconds"] == 2
    time.sleep(2.1)
    now = api.get(url(run, "queue/"), {"ticket": mine["ticket"]}).json()
    assert (now["status"], now["position"]) == ("admitted", 0)
    assert now["admitted_until"].endswith("Z")
    # The same key: a refusal for now was not kept as its answer.
    bought = purchase(api, run, mine["ticket"], key="k")
    assert bought.status_code == 201, bought.content


def test_a_place_is_ones_own_and_asked_for_by_nobody_else(api: Any, run: FlashRun) -> None:
    mine, other = place(api, run), client_for(UserFactory())
    assert place(api, run)["position"] == mine["position"]
    assert other.get(url(run, "queue/")).json()["code"] == "not_queued"
    for text in (mine["ticket"], "forged"):
        answer = other.get(url(run, "queue/"), {"ticket": text})
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_ticket")
    time.sleep(0.6)
    assert purchase(other, run, mine["ticket"]).json()["code"] == "not_admitted"


def test_staff_switch_the_room_on_and_off(api: Any, staff_api: Any) -> None:
    run = live_run(units=5)
    assert place(api, run) == {
        "run": 1, "status": "open", "position": 0, "wait_seconds": 0, "admitted_until": None,
        "ticket": None,
    }  # fmt: skip
    sale = f"/api/v1/admin/flash-sales/{run.sale.slug}/"
    shown = staff_api.patch(sale, {"admission_rate": 1}, format="json").json()
    assert shown["admission_rate"] == 1
    for _ in range(2):
        assert purchase(api, run, None).json()["code"] == "not_admitted"
    assert staff_api.patch(sale, {"admission_rate": None}, format="json").status_code == 200
    for _ in range(2):
        assert purchase(api, run, None).status_code == 201


def test_a_room_is_found_by_a_process_that_knows_of_none(
    api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = live_run(units=5)
    assert purchase(api, run, None).status_code == 201
    FlashSale.objects.filter(pk=run.sale_id).update(admission_rate=1)
    assert purchase(api, run, None).json()["code"] == "not_admitted"
    assert FlashPurchase.objects.count() == 1
    # The control: without the look inside the transaction he buys.
    flash._ROOMS.clear()
    monkeypatch.setattr(flash, "_check_room", lambda run, one: None)
    assert purchase(api, run, None).status_code == 201


def test_who_was_let_in_buys_at_the_first_call_to_a_process(api: Any, run: FlashRun) -> None:
    flash._ROOMS.clear()
    ticket = place(api, run)["ticket"]
    time.sleep(0.6)
    assert purchase(api, run, ticket).status_code == 201


def test_the_room_of_a_sale_that_is_over_is_closed(api: Any, run: FlashRun) -> None:
    run_end(run_id=run.pk, reason=FlashRun.End.STAFF)
    for answer in (
        api.get(url(run, "queue/")),
        api.post(url(run, "queue/"), {}, format="json"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (409, "sale_ended")


def test_a_stream_wants_a_ticket_of_its_own_sale(api: Any, run: FlashRun) -> None:
    ticket = place(api, run)["ticket"]
    other = live_run(units=1)
    for text, of in (("forged", run), (ticket, other)):
        answer = APIClient().get(url(of, "stream/"), {"ticket": text})
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_ticket")


def test_a_web_process_sends_listeners_to_the_one_that_streams(
    run: FlashRun, settings: Any
) -> None:
    settings.STREAM_URL = "https://streams.example.com/"
    answer = APIClient().get(url(run, "stream/"), {"events": 1})
    assert answer.status_code == 307
    assert answer["Location"] == f"https://streams.example.com{url(run, 'stream/')}?events=1"

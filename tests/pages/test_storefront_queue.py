"""The waiting room on a flash sale's page."""

import re
import time
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from shop.flash_sales.models import FlashRun, FlashSale
from shop.flash_sales.services import run_end
from shop.models import Order
from tests.factories.flash import live_run, planned_run
from tests.factories.orders import own_rollbacks, settled
from tests.factories.users import UserFactory
from tests.pages.reading import said, untranslated

__all__ = ["own_rollbacks", "settled"]

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.usefixtures("own_rollbacks", "settled", "sandbox"),
]


@pytest.fixture
def member(customer: Any) -> Client:
    return signed_in(customer)


def signed_in(user: Any) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def run() -> FlashRun:
    return live_run(units=5, admission_rate=2)


def path(run: FlashRun) -> str:
    return f"/flash/{run.sale.slug}/"


def text(answer: Any) -> str:
    return said(answer.content.decode())


def join(client: Client, run: FlashRun) -> str:
    """Where joining leads: the page with the ticket."""
    answer = client.post(f"{path(run)}queue/")
    assert answer.status_code == 302
    return str(answer["Location"])


def crowd(run: FlashRun, people: int) -> None:
    for _ in range(people):
        join(signed_in(UserFactory()), run)


def ticket(page: str) -> str:
    return re.findall(r'name="ticket" value="([^"]+)"', page)[0]


def buy(client: Client, run: FlashRun, page: str = "", **chosen: Any) -> Any:
    body = {"quantity": 1, "method": "stripe", **chosen}
    if page:
        body["ticket"] = ticket(page)
    return client.post(f"{path(run)}buy/", body)


def test_nobody_sees_a_queue_where_there_is_none(member: Client) -> None:
    run = live_run(units=5)
    page = member.get(path(run)).content.decode()
    assert "data-place" not in page
    assert "Buy now" in said(page)
    assert join(member, run) == path(run)


def test_who_has_no_place_is_offered_one_and_no_purchase(member: Client, run: FlashRun) -> None:
    page = text(member.get(path(run)))
    assert "This sale has a waiting room" in page
    assert "Take a place in the queue" in page
    assert "Buy now" not in page
    assert "Sign in and take a place" in text(Client().get(path(run)))


def test_a_place_moves_until_one_is_let_in_and_buys(member: Client, run: FlashRun) -> None:
    crowd(run, 3)
    there = join(member, run)
    page = member.get(there).content.decode()
    [position] = re.findall(r"data-position>(\d+)<", page)
    assert int(position) in (3, 4)
    assert "You are in the queue" in said(page)
    assert "Buy now" not in said(page)
    # Scripts follow it by this stream, and who has none by the link to the same page.
    assert re.search(r'data-stream="/api/v1/flash-sales/[\w-]+/stream/\?ticket=', page)
    assert "Look for news" in said(page)
    time.sleep(2.1)
    page = member.get(there).content.decode()
    assert "It is your turn" in said(page)
    [left] = re.findall(r'data-countdown="(\d+)" data-reload', page)
    assert 590 <= int(left) <= 600
    answer = buy(member, run, page)
    assert answer.status_code == 302, text(answer)
    assert answer["Location"].startswith("/pay/")
    assert Order.objects.count() == 1


def test_the_page_knows_its_buyer_without_the_ticket_in_the_address(
    member: Client, run: FlashRun
) -> None:
    crowd(run, 3)
    join(member, run)
    assert "You are in the queue" in text(member.get(path(run)))


def test_a_ticket_outlives_a_room_that_is_lost(member: Client, run: FlashRun) -> None:
    crowd(run, 3)
    there = join(member, run)
    cache.delete_many([f"flash-room:{run.pk}:{part}" for part in ("state", "who", "turns")])
    assert "You are in the queue" in text(member.get(there))
    assert "This sale has a waiting room" in text(member.get(path(run)))


def test_who_buys_past_the_queue_is_refused_in_words(member: Client, run: FlashRun) -> None:
    for forged in ({}, {"ticket": "forged"}):
        answer = buy(member, run, **forged)
        assert answer.status_code == 403
        assert "it is not your turn yet" in text(answer)
    assert not Order.objects.exists()


@pytest.mark.parametrize("text_", ["forged", "a" * 5000, "%00", "1:2:3"])
def test_nonsense_for_a_ticket_is_no_error(text_: str, member: Client, run: FlashRun) -> None:
    answer = member.get(f"{path(run)}?ticket={text_}")
    assert answer.status_code == 200
    assert "Take a place in the queue" in text(answer)


def test_the_ticket_of_another_is_of_no_use(member: Client, run: FlashRun) -> None:
    there = join(member, run)
    time.sleep(0.6)
    other = signed_in(UserFactory())
    assert "Take a place in the queue" in text(other.get(there))
    page = member.get(there).content.decode()
    assert buy(other, run, page).status_code == 403


def test_a_turn_that_was_missed_is_said_and_another_place_is_offered(
    member: Client, run: FlashRun, settings: Any
) -> None:
    there = join(member, run)
    time.sleep(0.6)
    page = member.get(there).content.decode()
    settings.WAITING_ROOM_SECONDS = 0
    late = text(member.get(there))
    assert "Your time to buy is over" in late
    assert "Buy now" not in late
    refused = buy(member, run, page)
    assert refused.status_code == 403
    assert "Your time to buy is over" in text(refused)
    assert not Order.objects.exists()
    settings.WAITING_ROOM_SECONDS = 600
    again = member.get(join(member, run)).content.decode()
    assert "Your time to buy is over" not in said(again)


def test_places_are_taken_before_the_sale_opens(member: Client) -> None:
    run = planned_run(units=5, admission_rate=1)
    page = member.get(join(member, run)).content.decode()
    assert "You are in the queue" in said(page)
    assert "The queue moves from when the sale opens" in said(page)
    assert "data-stream" in page


def test_staff_take_the_room_away_and_everybody_buys(member: Client, run: FlashRun) -> None:
    there = join(member, run)
    FlashSale.objects.filter(pk=run.sale_id).update(admission_rate=None)
    assert "Buy now" in text(member.get(there))
    assert buy(member, run).status_code == 302


def test_the_room_of_a_sale_that_is_over_is_closed(member: Client, run: FlashRun) -> None:
    there = join(member, run)
    run_end(run_id=run.pk, reason=FlashRun.End.STAFF)
    assert "queue" not in text(member.get(there))
    answer = member.post(f"{path(run)}queue/")
    assert answer.status_code == 409
    assert "The sale is over" in text(answer)


def test_who_is_not_signed_in_signs_in_first(run: FlashRun) -> None:
    answer = Client().post(f"{path(run)}queue/")
    assert answer["Location"].startswith("/account/sign-in/?next=%2Fflash%2F")


def test_a_form_of_another_site_takes_no_place(customer: Any, run: FlashRun) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(customer)
    assert client.post(f"{path(run)}queue/").status_code == 403


def test_every_text_of_the_queue_can_be_translated(
    member: Client, run: FlashRun, foreign: None, settings: Any
) -> None:
    crowd(run, 3)
    pages = [member.get(path(run)), member.get(there := join(member, run))]
    time.sleep(2.1)
    pages.append(member.get(there))
    settings.WAITING_ROOM_SECONDS = 0
    pages.append(member.get(there))
    pages.append(Client().get(path(run)))
    assert [untranslated(page.content.decode()) for page in pages] == [[]] * 5

"""The waiting room: who came first is let in first, so many a second, whatever happens to Redis."""

import threading
import time
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from django.core.cache import cache
from redis.exceptions import ConnectionError

from common import clock
from shop.flash_sales.models import FlashRun, FlashSale
from shop.flash_sales.waiting import services, store
from shop.flash_sales.waiting.errors import InvalidTicket, NotAdmitted, NotQueued
from shop.flash_sales.waiting.rules import Place, PlaceStatus
from shop.flash_sales.waiting.store import LocalRooms, RedisRooms, Terms
from tests.factories.flash import live_run, planned_run
from tests.races.parallel import in_parallel

pytestmark = pytest.mark.django_db(transaction=True)

HOUR = 3600.0
# People a second: ten are not let in while a busy machine thinks about the next line.
SLOW = 4
RUNS = count(1)


@pytest.fixture(params=[RedisRooms, LocalRooms])
def rooms(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    made = request.param()
    monkeypatch.setattr(services, "rooms", lambda: made)
    return made


@pytest.fixture
def run() -> FlashRun:
    return with_room(live_run(units=5))


def with_room(run: FlashRun, rate: int = 20) -> FlashRun:
    FlashSale.objects.filter(pk=run.sale_id).update(admission_rate=rate)
    return run


def take(run: FlashRun, user: int) -> Place:
    return services.place_take(slug=run.sale.slug, user_id=user)


def look(run: FlashRun, user: int, ticket: str | None = None) -> Place:
    return services.place_get(slug=run.sale.slug, user_id=user, ticket=ticket)


def may_buy(run: FlashRun, user: int, ticket: str | None, rate: int | None = 20) -> None:
    services.admission_require(run_id=run.pk, rate=rate, user_id=user, ticket=ticket)


def buys_in_the_end(run: FlashRun, user: int, ticket: str | None, rate: int) -> None:
    deadline = time.monotonic() + 10
    while True:
        try:
            return may_buy(run, user, ticket, rate)
        except NotAdmitted:
            assert time.monotonic() < deadline, "never let in"
            time.sleep(0.1)


def numbers(rooms: Any, users: list[int]) -> list[int]:
    run, terms = next(RUNS), Terms(1, HOUR, HOUR)
    calls = [lambda user=user: rooms.join(run, user, terms).number for user in users]
    return sorted(in_parallel(calls))


def test_each_user_has_one_place_and_each_place_one_user(rooms: Any) -> None:
    assert numbers(rooms, [*range(25), *range(25)]) == sorted([*range(1, 26)] * 2)


def test_control_without_one_step_two_users_have_the_same_place() -> None:
    """A count that is read and then written, as it would be without a script or a lock."""

    class Unguarded:
        last, together = 0, threading.Barrier(2)

        def join(self, run: int, user: int, terms: Terms) -> Any:
            number = self.last + 1
            self.together.wait(5)
            self.last = number
            return store.Visit(1, number, 0, None)

    assert numbers(Unguarded(), [1, 2]) == [1, 1]


def let_in(rooms: Any, *, seconds: float, rate: int, people: int) -> int:
    """How many of a crowd that comes to a run which has been open for an hour."""
    run, terms = next(RUNS), Terms(rate, HOUR, HOUR)
    rooms.join(run, 0, terms)
    time.sleep(0.5)
    for user in range(1, people):
        rooms.join(run, user, terms)
    time.sleep(seconds)
    return int(rooms.look(run, terms).gone)


def test_a_crowd_is_let_in_at_the_rate_and_nothing_was_saved_up(rooms: Any) -> None:
    started = time.monotonic()
    gone = let_in(rooms, seconds=0.5, rate=20, people=40)
    assert 10 <= gone <= 2 + 20 * (time.monotonic() - started - 0.5)


def test_control_without_its_cap_a_rush_finds_what_was_saved_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    capped = "math.min(state[3] + seconds * rate, last + 1)"
    assert capped in store.VISIT
    monkeypatch.setattr(store, "VISIT", store.VISIT.replace(capped, "state[3] + seconds * rate"))
    assert let_in(RedisRooms(), seconds=0, rate=80, people=30) >= 30


def test_nobody_is_let_in_before_the_start(rooms: Any) -> None:
    run = with_room(planned_run(units=5))
    assert [take(run, user).position for user in (1, 2, 3)] == [1, 2, 3]
    time.sleep(0.2)
    assert look(run, 3).position == 3
    with pytest.raises(NotAdmitted):
        may_buy(run, 1, take(run, 1).ticket)


def test_places_move_up_and_a_turn_lets_one_buy(rooms: Any, run: FlashRun) -> None:
    with_room(run, SLOW)
    tickets = [take(run, user).ticket for user in range(1, 11)]
    last = look(run, 10)
    assert last.status == PlaceStatus.WAITING
    assert 1 < last.position <= 10
    with pytest.raises(NotAdmitted) as refused:
        may_buy(run, 10, tickets[9], SLOW)
    assert refused.value.retry_after <= 3
    assert 1 <= refused.value.extra["position"] <= last.position
    buys_in_the_end(run, 10, tickets[9], SLOW)
    assert look(run, 10).status == PlaceStatus.ADMITTED


def test_a_new_rate_holds_for_those_who_wait(rooms: Any, run: FlashRun) -> None:
    with_room(run, 1)
    for user in range(20):
        ticket = take(run, user).ticket
    assert look(run, 19).wait_seconds >= 10
    with_room(run, 1000)
    time.sleep(0.1)
    assert look(run, 19, ticket).status == PlaceStatus.ADMITTED


def test_a_turn_lapses_and_a_new_place_is_at_the_end(
    rooms: Any, run: FlashRun, settings: Any
) -> None:
    settings.WAITING_ROOM_SECONDS = 1
    first = take(run, 1)
    time.sleep(0.2)
    assert look(run, 1, first.ticket).status == PlaceStatus.ADMITTED
    for _ in range(2):
        time.sleep(1.1)
        take(run, 2)
    assert look(run, 1, first.ticket).status == PlaceStatus.LAPSED
    with pytest.raises(NotAdmitted):
        may_buy(run, 1, first.ticket)
    again = take(run, 1)
    assert again.ticket != first.ticket
    assert again.status in (PlaceStatus.WAITING, PlaceStatus.ADMITTED)


def test_a_ticket_is_its_owners_and_its_runs(rooms: Any, run: FlashRun) -> None:
    other = with_room(live_run(units=5))
    ticket, foreign = take(run, 1).ticket, take(other, 1).ticket
    assert ticket is not None
    time.sleep(0.2)
    may_buy(run, 1, ticket)
    for user, wrong in ((2, ticket), (1, foreign), (1, ticket[:-1] + "!"), (1, "x"), (1, None)):
        with pytest.raises(NotAdmitted):
            may_buy(run, user, wrong)
    with pytest.raises(InvalidTicket):
        look(run, 2, ticket)
    with pytest.raises(NotQueued):
        look(run, 3)


def test_without_a_room_nobody_waits(rooms: Any) -> None:
    run = live_run(units=5)
    assert (take(run, 1).status, take(run, 1).ticket) == (PlaceStatus.OPEN, None)
    may_buy(run, 1, None, rate=None)


def test_a_ticket_outlives_the_room_that_redis_has_lost() -> None:
    run = with_room(live_run(units=5), SLOW)
    tickets = [take(run, user).ticket for user in range(1, 11)]
    cache.clear()
    newcomer = take(run, 11)
    assert newcomer.position <= 1
    waits = look(run, 10, tickets[9])
    assert waits.status == PlaceStatus.WAITING
    assert 1 <= waits.position <= 10
    buys_in_the_end(run, 10, tickets[9], SLOW)
    assert look(run, 10, tickets[9]).status == PlaceStatus.ADMITTED


def away(*_: Any) -> Any:
    raise ConnectionError


def test_without_redis_a_process_has_a_room_of_its_own_and_all_are_let_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(RedisRooms, "_visit", away)
    run = with_room(live_run(units=5), SLOW)
    places = [take(run, user) for user in range(3)]
    assert places[2].status == PlaceStatus.WAITING
    with pytest.raises(NotAdmitted):
        may_buy(run, 2, places[2].ticket, SLOW)
    buys_in_the_end(run, 2, places[2].ticket, SLOW)


def test_an_estimate_waits_for_the_start_as_well() -> None:
    run = with_room(planned_run(units=5), 10)
    ticket = take(run, 1).ticket
    cache.clear()
    assert look(run, 1, ticket).status == PlaceStatus.WAITING
    FlashRun.objects.filter(pk=run.pk).update(starts_at=clock.now() - timedelta(seconds=5))
    time.sleep(0.2)
    assert look(run, 1, ticket).status == PlaceStatus.ADMITTED

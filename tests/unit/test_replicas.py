"""Who is asked for a read, and for how long a replica is believed. No database takes part."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import DatabaseError, OperationalError, transaction

from common import replicas
from common.replicas import PRIMARY, REPLICA, Freshness, Router, lagging, may_lag
from config.settings import servers

BOUND = 2.0


class World:
    """A clock, a primary with so many transactions, and a replica that has some of them."""

    def __init__(self) -> None:
        self.now, self.primary, self.replica, self.away = 1000.0, 5, 5, False
        self.asked = 0

    def ask(self, state: Freshness) -> None:
        self.asked += 1
        if self.away:
            raise DatabaseError
        if state.pending is None:
            state.wait_for(str(self.primary))
        if state.pending and int(state.pending[0]) <= self.replica:
            state.has_all()

    def later(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, settings: Any) -> World:
    made = World()
    monkeypatch.setattr(replicas, "is_configured", lambda: True)
    settings.REPLICA_LAG_SECONDS = BOUND
    monkeypatch.setattr(replicas, "_known", Freshness(made.ask, lambda: made.now))
    return made


def chosen() -> str:
    return Router().db_for_read(None)


def test_only_a_read_that_says_so_goes_to_the_replica(world: World) -> None:
    assert chosen() == PRIMARY
    with lagging():
        assert chosen() == REPLICA
    assert chosen() == PRIMARY


def test_a_write_never_does(world: World) -> None:
    with lagging():
        assert Router().db_for_write(None) == PRIMARY


def test_a_read_in_a_transaction_decides_something(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transaction.get_connection(PRIMARY), "in_atomic_block", True)
    with lagging():
        assert chosen() == PRIMARY


@pytest.mark.parametrize(("seconds", "where"), [(BOUND - 0.1, REPLICA), (BOUND + 0.1, PRIMARY)])
def test_a_replica_that_stops_is_believed_for_the_bound(
    world: World, seconds: float, where: str
) -> None:
    assert replicas.is_fresh()
    world.primary += 1
    world.later(seconds)
    with lagging():
        assert chosen() == where


def test_what_it_has_later_proves_the_moment_of_the_question(world: World) -> None:
    """Not the moment of the answer: in between the primary may have gone on."""
    world.primary += 1
    replicas.is_fresh()
    world.later(BOUND + 1)
    world.replica = world.primary
    assert not replicas.is_fresh()
    world.later(replicas.ASK_SECONDS)
    assert replicas.is_fresh()


def test_a_replica_that_is_away_is_not_asked(world: World) -> None:
    assert replicas.is_fresh()
    world.away = True
    world.later(replicas.ASK_SECONDS)
    assert not replicas.is_fresh()


def lost(world: World) -> None:
    assert replicas.is_fresh()
    world.away = True
    world.later(replicas.ASK_SECONDS)
    assert not replicas.is_fresh()


def test_one_request_in_a_while_tries_a_replica_that_failed(world: World) -> None:
    """Each that tries one that hangs waits for its timeout."""
    lost(world)
    asked = world.asked
    for _ in range(10):
        world.later(replicas.AWAY_SECONDS / 11)
        assert not replicas.is_fresh()
    assert world.asked == asked
    world.later(replicas.AWAY_SECONDS)
    replicas.is_fresh()
    replicas.is_fresh()
    assert world.asked == asked + 1


def test_control_without_the_pause_every_question_is_tried(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replicas, "AWAY_SECONDS", 0)
    lost(world)
    asked = world.asked
    for _ in range(10):
        world.later(replicas.ASK_SECONDS)
        replicas.is_fresh()
    assert world.asked == asked + 10


def test_one_that_is_back_is_believed_again_after_the_pause(world: World) -> None:
    lost(world)
    world.away = False
    assert not replicas.is_fresh()
    world.later(replicas.AWAY_SECONDS)
    assert replicas.is_fresh()


def test_one_that_is_silent_is_given_up_sooner_than_the_primary() -> None:
    url = "mysql://reader:secret@replica:3306/souk"
    options, primary = servers.replica(url)["OPTIONS"], servers.mysql(url)["OPTIONS"]
    for name in ("connect_timeout", "read_timeout", "write_timeout"):
        assert 0 < options[name] <= 2, name
    assert primary["read_timeout"] > 10


def test_without_a_replica_there_is_the_primary() -> None:
    with lagging():
        assert chosen() == PRIMARY


def reader(world: World, fail: Callable[[str], bool]) -> list[str]:
    """Where a read that may lag was tried."""
    tried: list[str] = []

    @may_lag
    def read() -> str:
        tried.append(chosen())
        if fail(tried[-1]):
            raise OperationalError
        return "read"

    assert read() == "read"
    return tried


def test_a_read_that_meets_a_lost_replica_is_the_primarys(world: World) -> None:
    assert reader(world, lambda where: where == REPLICA) == [REPLICA, PRIMARY]
    # And so is the next one: nobody tries what has just failed.
    assert reader(world, lambda where: where == REPLICA) == [PRIMARY]

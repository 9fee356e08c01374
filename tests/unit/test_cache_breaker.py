"""The breaker before Redis, by a clock of its own; nothing here needs a server."""

from collections.abc import Callable

import pytest
from redis.exceptions import ConnectionError, RedisError, ResponseError, TimeoutError

from common.cache.store import OPEN_SECONDS, WAITED_SECONDS, Breaker, insisting


class Server:
    """Calls through a breaker to a server that is `well`, silent or refuses; how many it saw."""

    def __init__(self) -> None:
        self.now, self.calls, self.state = 100.0, 0, "well"
        self.breaker = Breaker(clock=lambda: self.now)
        self.meanwhile: Callable[[], list[str]] = list
        self.told: list[str] = []

    def ask(self) -> str:
        try:
            with self.breaker.call():
                return self._answer()
        except RedisError as error:
            return type(error).__name__

    def _answer(self) -> str:
        self.calls += 1
        self.told = self.meanwhile()
        self.now += 1 if self.state == "silent" else WAITED_SECONDS / 2
        if self.state == "silent":
            raise TimeoutError
        if self.state == "refuses":
            raise ConnectionError
        if self.state == "refuses the command":
            raise ResponseError
        return "answer"


@pytest.fixture
def server() -> Server:
    return Server()


def silent_once(server: Server) -> None:
    server.state = "silent"
    assert server.ask() == "TimeoutError"


def test_after_a_wait_in_vain_no_call_is_made_for_a_while(server: Server) -> None:
    silent_once(server)
    assert [server.ask() for _ in range(5)] == ["ConnectionError"] * 5
    server.now += OPEN_SECONDS - 0.01
    server.ask()
    assert server.calls == 1


def test_one_call_tries_while_the_others_go_on_failing(server: Server) -> None:
    silent_once(server)
    server.now += OPEN_SECONDS
    server.meanwhile = lambda: [server.ask() for _ in range(5)]
    assert server.ask() == "TimeoutError"
    assert server.told == ["ConnectionError"] * 5
    assert server.calls == 2


def test_an_answer_ends_it(server: Server) -> None:
    silent_once(server)
    server.state = "well"
    server.now += OPEN_SECONDS
    assert [server.ask() for _ in range(3)] == ["answer"] * 3


def test_another_wait_in_vain_begins_it_anew(server: Server) -> None:
    silent_once(server)
    server.now += OPEN_SECONDS
    silent_once(server)
    assert server.ask() == "ConnectionError"
    assert server.calls == 2


def test_a_connection_refused_at_once_keeps_nobody_from_trying(server: Server) -> None:
    server.state = "refuses"
    assert [server.ask() for _ in range(3)] == ["ConnectionError"] * 3
    assert server.calls == 3


def test_an_error_of_the_servers_own_is_an_answer(server: Server) -> None:
    server.state = "refuses the command"
    assert [server.ask() for _ in range(2)] == ["ResponseError"] * 2
    assert server.calls == 2


def test_who_insists_is_let_through_and_ends_it_by_an_answer(server: Server) -> None:
    silent_once(server)
    server.state = "well"
    with insisting():
        assert server.ask() == "answer"
    assert server.ask() == "answer"


def test_insisting_ends_with_its_block(server: Server) -> None:
    with insisting():
        silent_once(server)
        silent_once(server)
    assert server.ask() == "ConnectionError"
    assert server.calls == 2

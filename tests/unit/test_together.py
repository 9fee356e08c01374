"""Calls that wait at the same moment are carried out as one."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from common.limits import store as limits
from common.together import Together
from tests.sizes import LOOSE

pytestmark = pytest.mark.django_db(transaction=True)

WAIT = 5 * LOOSE


class Slow:
    """Work that is under way until it is let go; the groups that it was given."""

    def __init__(self) -> None:
        self.groups: list[list[Any]] = []
        self.begun, self.free = threading.Event(), threading.Event()

    def __call__(self, group: Sequence[Any]) -> list[Any]:
        self.groups.append(list(group))
        self.begun.set()
        assert self.free.wait(WAIT)
        return [self.answer(item) for item in group]

    def answer(self, item: Any) -> Any:
        return item if item is None else ValueError(item) if item == "bad" else f"{item}!"


def called(work: Slow, items: Sequence[Any]) -> list[Any]:
    """The answers of threads that call while the first one's group is under way."""
    together: Together[Any, Any] = Together(work)

    def call(item: Any) -> Any:
        try:
            return together.call(item)
        except ValueError as error:
            return error.args[0]

    with ThreadPoolExecutor(len(items)) as pool:
        first = pool.submit(call, items[0])
        assert work.begun.wait(WAIT)
        others = [pool.submit(call, item) for item in items[1:]]
        while len(together._waiting) < len(others):
            threading.Event().wait(0.001)
        work.free.set()
        return [each.result(WAIT) for each in (first, *others)]


def test_who_comes_while_a_group_is_at_work_is_in_the_next() -> None:
    work = Slow()
    assert called(work, ["a", "b", "c", "d"]) == ["a!", "b!", "c!", "d!"]
    assert [len(group) for group in work.groups] == [1, 3]


def test_an_answer_may_be_none_and_an_error_is_its_callers_own() -> None:
    work = Slow()
    assert called(work, [None, None, "bad", "c"]) == [None, None, "bad", "c!"]
    assert len(work.groups) == 2


class Counting:
    """Redis, as far as counting goes."""

    def __init__(self) -> None:
        self.scripts = 0

    def eval(self, _script: str, count: int, *rest: Any) -> list[list[int]]:
        self.scripts += 1
        return [
            [int(str(key)[-1]), window] for key, window in zip(rest, rest[count:], strict=False)
        ]


def test_counters_of_several_callers_are_one_script(monkeypatch: pytest.MonkeyPatch) -> None:
    redis = Counting()
    monkeypatch.setattr(limits, "get_redis_connection", lambda _: redis)
    found = limits._count_all([[("a1", 60), ("a2", 1)], [("b3", 5)]])
    assert found == [[(1, 60.0), (2, 1.0)], [(3, 5.0)]]
    assert redis.scripts == 1

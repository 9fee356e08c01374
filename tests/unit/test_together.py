"""Calls that wait at the same moment are carried out as one."""

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

import pytest

from common.cache import store as shared
from common.cache.store import Asked
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
        for _ in range(int(WAIT * 1000)):
            if len(together._waiting) == len(others):
                break
            time.sleep(0.001)
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


def test_too_few_answers_leave_nobody_waiting() -> None:
    together: Together[int, int] = Together(lambda group: [])
    for _ in range(2):
        with pytest.raises(RuntimeError, match="0 answers for 1"):
            together.call(1)


@pytest.mark.parametrize(("kind", "at_once"), [(Asked, True), (Together, False)])
def test_while_redis_is_silent_nobody_waits_for_the_one_who_tries(
    kind: type[Together[str, str]], *, at_once: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: behind a leader all wait as long as he does."""
    monkeypatch.setattr(shared, "_breaker_is_closed", lambda: False)
    monkeypatch.setattr(shared, "is_shared", lambda: True)
    tries, back = threading.Event(), threading.Event()

    def work(group: Sequence[str]) -> list[str]:
        if group[0] == "first":
            tries.set()
            back.wait(WAIT)
        return list(group)

    together = kind(work)
    with ThreadPoolExecutor(2) as pool:
        pool.submit(together.call, "first")
        assert tries.wait(WAIT)
        second = pool.submit(together.call, "second")
        assert bool(wait([second], 0.3 if not at_once else WAIT).done) is at_once
        back.set()


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

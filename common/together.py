"""Calls that wait at the same moment are carried out together, by one of their threads.

Nobody waits for company: a call that finds nobody at work starts at once, and whoever comes
meanwhile is the next group. There is no thread of its own that could die, and no connection of its
own: the thread of the first waiting call does the work of all.
"""

import threading
from collections.abc import Callable, Sequence
from typing import Final, Generic, TypeVar, cast

from django.db import connection

from common.errors import Busy

T = TypeVar("T")
R = TypeVar("R")

# One statement with more rows than this holds its locks longer than it saves trips.
MOST: Final = 64


class _Seat(Generic[T, R]):
    """One waiting call; `woken` is let go when it has its answer or has to lead."""

    __slots__ = ("answer", "answered", "item", "woken")

    def __init__(self, item: T) -> None:
        self.item = item
        self.woken = threading.Lock()
        self.woken.acquire()
        # Beside the answer, which may be None.
        self.answered = False
        self.answer: R | Exception | None = None


class Together(Generic[T, R]):
    """`work` answers a group of items in their order; an exception is an answer and is raised."""

    def __init__(self, work: Callable[[Sequence[T]], Sequence[R | Exception]]) -> None:
        self._work = work
        self._lock = threading.Lock()
        self._waiting: list[_Seat[T, R]] = []
        self._led = False

    def call(self, item: T) -> R:
        if self.is_alone():
            [answer] = self._work([item])
            return _given(answer)
        seat: _Seat[T, R] = _Seat(item)
        with self._lock:
            self._waiting.append(seat)
            leads, self._led = not self._led, True
        if not leads:
            seat.woken.acquire()
        if not seat.answered:
            self._lead()
        # Its own group has answered it, whoever led.
        return _given(cast(R | Exception, seat.answer))

    def is_alone(self) -> bool:
        """In a transaction of the caller's: nobody else's work may depend on how that ends."""
        return connection.in_atomic_block

    def _lead(self) -> None:
        """Answer all who wait, the caller first among them; then the next one leads."""
        with self._lock:
            group, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
        try:
            answers: Sequence[R | Exception] = self._work([seat.item for seat in group])
            # Found out later, it would leave all who wait without a leader.
            if len(answers) != len(group):
                raise RuntimeError(f"{len(answers)} answers for {len(group)} calls")
        except Exception as error:
            answers = [error] * len(group)
        except BaseException:
            # The thread is being ended: its own call ends with it, the others may try again.
            self._leave(group, [Busy(retry_after=1)] * len(group))
            raise
        self._leave(group, answers)

    def _leave(self, group: list[_Seat[T, R]], answers: Sequence[R | Exception]) -> None:
        for seat, answer in zip(group, answers, strict=True):
            seat.answer, seat.answered = answer, True
        with self._lock:
            following = self._waiting[0] if self._waiting else None
            self._led = following is not None
        for seat in ([following] if following else []) + group[1:]:
            seat.woken.release()


def _given(answer: R | Exception) -> R:
    if isinstance(answer, Exception):
        raise answer
    return answer

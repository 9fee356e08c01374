"""Reads that may be a moment old go to a replica of the database, decisions never do.

Whoever reads says so (`may_lag`); everything else, and every read in a transaction, goes to the
primary. The bound is proved, not guessed: the primary is asked which transactions it has executed,
and once the replica has all of those, it is as new as the moment of that question. (What
`Seconds_Behind_Source` says is whole seconds, and wrong while the connection between the two is
broken.) A replica that is away or too far behind is not asked; nobody waits for it.
"""

import functools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final, ParamSpec, TypeVar

from django.conf import settings
from django.db import DatabaseError, OperationalError, connections, transaction

P = ParamSpec("P")
R = TypeVar("R")

PRIMARY: Final = "default"
REPLICA: Final = "replica"
# How often a process asks both. Each question is answered in less than a millisecond.
ASK_SECONDS: Final = 0.25
# How long nobody asks one that has just failed: whoever asks one that hangs waits for its timeout.
AWAY_SECONDS: Final = 5.0

_lagging: ContextVar[bool] = ContextVar("reads_may_lag", default=False)


class Freshness:
    """What one process knows of the replica; one for all its threads."""

    def __init__(self, ask: Callable[["Freshness"], None], clock: Callable[[], float]) -> None:
        self._ask, self._clock, self._lock = ask, clock, threading.Lock()
        self.asked_at = self.proved_at = self.away_until = float("-inf")
        self.pending: tuple[str, float] | None = None

    def lag(self) -> float:
        """At most so many seconds old is what the replica says."""
        if self._is_due() and self._lock.acquire(blocking=False):
            try:
                self.asked_at = self._clock()
                self._ask(self)
            except DatabaseError:
                self.lose()
            finally:
                self._lock.release()
        return self._clock() - self.proved_at

    def _is_due(self) -> bool:
        return self._clock() >= max(self.asked_at + ASK_SECONDS, self.away_until)

    def has_all(self) -> None:
        """The replica has what was pending: it is as new as the question was."""
        if self.pending is not None:
            self.proved_at, self.pending = self.pending[1], None

    def wait_for(self, transactions: str) -> None:
        self.pending = (transactions, self.asked_at)

    def lose(self) -> None:
        """After a failure: not believed, and not asked, for a while."""
        self.proved_at, self.pending = float("-inf"), None
        self.away_until = self._clock() + AWAY_SECONDS


def _ask(state: Freshness) -> None:
    if state.pending is None:
        state.wait_for(_value(PRIMARY, "SELECT @@GLOBAL.gtid_executed"))
    sql = "SELECT GTID_SUBSET(%s, @@GLOBAL.gtid_executed)"
    if state.pending and _value(REPLICA, sql, state.pending[0]):
        state.has_all()


def _value(alias: str, sql: str, *parameters: str) -> Any:
    with connections[alias].cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchone()[0]


_known: Final = Freshness(_ask, time.monotonic)


def is_configured() -> bool:
    return REPLICA in settings.DATABASES


def is_fresh() -> bool:
    return is_configured() and _known.lag() <= settings.REPLICA_LAG_SECONDS


def lag_seconds() -> float | None:
    """None while nothing is proved."""
    lag = _known.lag()
    return None if lag == float("inf") else lag


@contextmanager
def lagging() -> Iterator[None]:
    """Reads in this block may be as old as REPLICA_LAG_SECONDS allows."""
    before = _lagging.set(True)
    try:
        yield
    finally:
        _lagging.reset(before)


def may_lag(read: Callable[P, R]) -> Callable[P, R]:
    """For a view or selector that only reads: once more from the primary if the replica is lost."""

    @functools.wraps(read)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        if not is_fresh():
            return read(*args, **kwargs)
        try:
            with lagging():
                return read(*args, **kwargs)
        except OperationalError:
            _known.lose()
            return read(*args, **kwargs)

    return wrapper


class Router:
    """Django's: where a model's rows are read and written."""

    def db_for_read(self, model: Any, **hints: Any) -> str:
        # What a transaction reads, it decides on: also what it has itself written.
        free = _lagging.get() and not transaction.get_connection(PRIMARY).in_atomic_block
        return REPLICA if free and is_fresh() else PRIMARY

    def db_for_write(self, model: Any, **hints: Any) -> str:
        return PRIMARY

    def allow_relation(self, one: Any, other: Any, **hints: Any) -> bool:
        return True

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        return db == PRIMARY

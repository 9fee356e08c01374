"""Transactions that survive deadlocks.

InnoDB answers 1213 (deadlock: the whole transaction is gone) and 1205 (lock wait timeout: only the
statement is gone). Either way the outermost transaction is rolled back and run again from its first
statement, at most five times. SQLite's "database is locked" is the same thing under another name.
"""

import functools
import random
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, ParamSpec, TypeVar

from django.db import Error, OperationalError, connection, connections, transaction

from common import metrics
from common.errors import Busy

P = ParamSpec("P")
R = TypeVar("R")

ATTEMPTS: Final = 5
_MYSQL_RETRYABLE: Final = {1205, 1213}
# Shutting down, refused, unknown host, gone away, lost in the middle of a statement.
_MYSQL_AWAY: Final = {1053, 2002, 2003, 2005, 2006, 2013}


def is_retryable(error: OperationalError) -> bool:
    """True for a deadlock or a lock wait timeout."""
    cause = error.args[0] if error.args else None
    return cause in _MYSQL_RETRYABLE or "database is locked" in str(error)


def is_away(error: OperationalError) -> bool:
    """True where the server cannot be reached, or was lost before it answered."""
    return bool(error.args) and error.args[0] in _MYSQL_AWAY


def transactional(func: Callable[P, R]) -> Callable[P, R]:
    """Run `func` in one transaction and again after a deadlock; nested calls join the outer one.

    `func` must hold no state of its own between runs and must not talk to the network. Raises
    `Busy` (503 with Retry-After) when every attempt met a deadlock.
    """

    return _outermost(func, _run_again(transaction.atomic(func)))


def one_statement(func: Callable[P, R]) -> Callable[P, R]:
    """`transactional` for a single statement, which is a transaction without being put into one."""
    return _outermost(func, _run_again(func))


def _outermost(func: Callable[P, R], alone: Callable[P, R]) -> Callable[P, R]:
    @functools.wraps(func)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        # An inner retry would run in a transaction that the server has already rolled back.
        return (func if connection.in_atomic_block else alone)(*args, **kwargs)

    return wrapper


def _run_again(func: Callable[P, R]) -> Callable[P, R]:
    def again(*args: P.args, **kwargs: P.kwargs) -> R:
        for attempt in range(ATTEMPTS):
            try:
                return func(*args, **kwargs)
            except OperationalError as error:
                if not is_retryable(error):
                    raise
                metrics.DEADLOCKS.inc()
                _pause(attempt)
        metrics.GIVEN_UP.inc()
        raise Busy(retry_after=1)

    return again


def after_commit(work: Callable[..., Any], *args: Any) -> None:
    """Do this once the running transaction has committed; if it fails, an error is logged.

    What is committed stays, and who asked for it must not be told that it failed.
    """

    # Django asks a failed hook for its name, which `functools.partial` has none of.
    @functools.wraps(work)
    def done() -> None:
        work(*args)

    transaction.on_commit(done, robust=True)


def drop_stuck_connections(**_: Any) -> None:
    """Forget this thread's connections that wait for the end of a transaction nobody is in.

    Where the server is lost between a COMMIT and the statement after it, the next `atomic` fails
    while it is entered, and Django 5.2 never leaves it: without this, every later request of the
    thread would be answered 500 for as long as the process lives.
    """
    for wrapper in connections.all(initialized_only=True):
        if wrapper.in_atomic_block and not wrapper.atomic_blocks:
            del connections[wrapper.alias]
            with suppress(Error):
                wrapper.close()


def _pause(attempt: int) -> None:
    # Without jitter the same two transactions meet again in the same order.
    time.sleep(random.uniform(0.005, 0.02) * 2**attempt)  # nosec B311  # a pause, no secret


def isolation_is_right() -> bool:
    """READ COMMITTED on MySQL: under REPEATABLE READ a conditional update decides on old rows."""
    if connection.vendor != "mysql":
        return True
    with connection.cursor() as cursor:
        cursor.execute("SELECT @@transaction_isolation")
        return bool(cursor.fetchone()[0] == "READ-COMMITTED")

"""Publishes what has changed, in a thread of its own: no buyer waits for it.

A process that was told of a change goes on until figures are published that were counted after it,
by itself or by another one. So the last value is always published, and all processes together
publish a sale ten times a second at most.
"""

import atexit
import logging
import threading
import time
from typing import Final

from django.db import DatabaseError, connections

from common.db import after_commit
from shop.flash_sales.errors import NoSuchSale
from shop.flash_sales.live import selectors, services
from shop.flash_sales.live.store import AWAY

logger = logging.getLogger(__name__)

# While Redis or the database is away.
RETRY_SECONDS: Final = 1.0
# A thread that has nothing to do ends, and its database connection with it.
IDLE_SECONDS: Final = 5.0
# Of a process that ends with something unsaid.
FAREWELL_SECONDS: Final = 1.0


class Wanted:
    """News of a run that is to be published; `since`: the tick after which it was asked for."""

    __slots__ = ("due", "since")

    def __init__(self, due: float, since: int = 0) -> None:
        self.due, self.since = due, since


class Publisher:
    """One for each process; its thread starts with the first change."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._wanted: dict[int, Wanted] = {}
        self._thread: threading.Thread | None = None
        # Of runs that were published lately; a sale keeps its slug.
        self._slugs: dict[int, str] = {}

    def mark(self, run_id: int) -> None:
        """The run has changed, and the change is committed."""
        with self._changed:
            wanted = self._wanted.setdefault(run_id, Wanted(time.monotonic()))
            # Whoever counts from now on sees this change; who has counted already may not.
            wanted.since = 0
            # A forked child has its parent's object, and none of its threads.
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="figures", daemon=True)
                self._thread.start()
            self._changed.notify()

    def flush(self, seconds: float) -> bool:
        """Wait until all is published; False where it is not within that time."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._busy, seconds)

    @property
    def _busy(self) -> bool:
        return self._thread is not None and self._thread.is_alive() and bool(self._wanted)

    def _run(self) -> None:
        try:
            while (run_id := self._next()) is not None:
                self._publish(run_id)
        finally:
            self._slugs.clear()
            connections.close_all()

    def _next(self) -> int | None:
        """The run that is due; None after a while without any, when the thread is to end."""
        idle_at = time.monotonic() + IDLE_SECONDS
        with self._changed:
            while True:
                now = time.monotonic()
                run_id = min(self._wanted, key=lambda key: self._wanted[key].due, default=None)
                if run_id is None and now >= idle_at:
                    self._thread = None
                    return None
                due = idle_at if run_id is None else self._wanted[run_id].due
                if run_id is not None and due <= now:
                    return run_id
                self._changed.wait(due - now)

    def _publish(self, run_id: int) -> None:
        with self._changed:
            wanted = self._wanted[run_id]
            since, wanted.since = wanted.since, -1
        try:
            left = self._ask(run_id, since)
        except (*AWAY, DatabaseError) as error:
            logger.warning("flash.not_published", extra={"error": type(error).__name__})
            connections.close_all()
            left = Wanted(RETRY_SECONDS, since)
        except NoSuchSale:
            left = Wanted(0.0, since) if self._slugs.pop(run_id, None) else None
        except Exception:
            # The thread publishes all sales: one that cannot be counted must not end it.
            logger.exception("flash.not_counted")
            left = None
        with self._changed:
            asked_again = wanted.since == 0
            if left is None and not asked_again:
                del self._wanted[run_id]
            else:
                wait = left.due if left else 0.0
                since = 0 if asked_again or left is None else left.since
                self._wanted[run_id] = Wanted(time.monotonic() + wait, since)
            self._changed.notify_all()

    def _ask(self, run_id: int, since: int) -> Wanted | None:
        slug = self._slugs.get(run_id) or selectors.slug_of_run(run_id)
        if slug is None:
            return None
        self._slugs[run_id] = slug
        begun = services.figures_publish(slug, since=since)
        return None if begun.won or begun.done else Wanted(begun.wait, since or begun.version)


publisher: Final = Publisher()
atexit.register(publisher.flush, FAREWELL_SECONDS)


def changed(run_id: int) -> None:
    """Publish the run's figures once the running transaction has committed."""
    after_commit(publisher.mark, run_id)

"""What this process counts for Prometheus; with PROMETHEUS_MULTIPROC_DIR, its siblings as well."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

# prometheus-client looks at the variable while it is imported, and makes no folder.
FOLDER: Final = os.environ.get("PROMETHEUS_MULTIPROC_DIR", "")
if FOLDER:
    Path(FOLDER).mkdir(parents=True, exist_ok=True)

from prometheus_client import (  # noqa: E402
    REGISTRY,
    CollectorRegistry,
    Counter,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector  # noqa: E402

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_QUICK: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_LONG: Final = (0.05, 0.25, 1, 2.5, 5, 10, 15, 30, 60, 300)

REQUESTS: Final = Histogram(
    "souk_request_seconds",
    "Answers of the web, by the route's pattern",
    ("method", "route", "status"),
    buckets=_QUICK,
)
TASKS: Final = Histogram(
    "souk_task_seconds", "Runs of tasks, by how they ended", ("task", "outcome"), buckets=_QUICK
)
QUEUE_WAIT: Final = Histogram(
    "souk_queue_wait_seconds", "From sending a task to its start", ("queue",), buckets=_LONG
)
PROVIDERS: Final = Histogram(
    "souk_provider_seconds", "Calls to the world outside", ("provider", "outcome"), buckets=_QUICK
)
DEADLOCKS: Final = Counter(
    "souk_deadlock_retries", "Transactions run again after a deadlock or a lock wait"
)
GIVEN_UP: Final = Counter(
    "souk_deadlock_given_up", "Transactions that met a deadlock at every attempt"
)
RUSH: Final = Counter(
    "souk_rush_refusals", "Flash purchases refused before Django saw them", ("code",)
)
WINDOW: Final = Counter(
    "souk_window_answers", "Pages of the catalogue shown again before Django saw the call"
)


@contextmanager
def timed(histogram: Histogram, *labels: str) -> Iterator[None]:
    """Observe how long it took, with the last label `ok` or the error's name."""
    started, outcome = time.monotonic(), "ok"
    try:
        yield
    except Exception as error:
        outcome = type(error).__name__
        raise
    finally:
        histogram.labels(*labels, outcome).observe(time.monotonic() - started)


def exposed(*collectors: Any) -> bytes:
    """Everything counted, and what `collectors` find out now, as Prometheus reads it."""
    own = registry()
    text = generate_latest(own)
    if collectors:
        more = CollectorRegistry()
        for each in collectors:
            more.register(each)
        text += generate_latest(more)
    return text


def registry() -> CollectorRegistry:
    """What this process and its siblings have counted."""
    if not FOLDER:
        return REGISTRY
    together = CollectorRegistry()
    MultiProcessCollector(together, FOLDER)  # type: ignore[no-untyped-call]
    return together

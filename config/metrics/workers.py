"""Celery's side: how long tasks wait and take, and a port where a worker's figures are read."""

import time
from typing import Any, Final

from celery.signals import before_task_publish, task_postrun, task_prerun, worker_init
from django.conf import settings
from prometheus_client import start_http_server

from common import metrics
from common.outbox.tasks import OutboxTask

# A header of every message; hosts' clocks may differ, and nothing is decided by it.
SENT: Final = "souk_sent"


def listen() -> None:
    """Connected once, by the composition root: nothing else has to know."""
    for signal, receiver in (
        (before_task_publish, note_sent),
        (task_prerun, note_start),
        (task_postrun, note_end),
        (worker_init, serve),
    ):
        signal.connect(receiver, dispatch_uid=f"souk.metrics.{receiver.__name__}")


def note_sent(headers: Any = None, **_: Any) -> None:
    if isinstance(headers, dict):
        headers[SENT] = time.time()


def note_start(task: Any = None, **_: Any) -> None:
    sent, place = sent_at(task), task.request.delivery_info or {}
    task.request.souk_started = time.monotonic()
    if sent is not None:
        wait = max(0.0, time.time() - sent)
        metrics.QUEUE_WAIT.labels(place.get("routing_key") or "none").observe(wait)


def sent_at(task: Any) -> float | None:
    found = getattr(task.request, SENT, None)
    return found if isinstance(found, float) else None


def note_end(task: Any = None, state: str | None = None, **_: Any) -> None:
    # The outbox's own tasks are counted there, where it is known whether they were postponed.
    if isinstance(task, OutboxTask):
        return
    started = getattr(task.request, "souk_started", None)
    if started is not None:
        outcome = "done" if state == "SUCCESS" else "failed"
        metrics.TASKS.labels(task.name, outcome).observe(time.monotonic() - started)


def serve(**_: Any) -> None:
    """In the worker's main process, for its children: they share a folder, not a memory."""
    if settings.WORKER_METRICS_PORT:
        start_http_server(settings.WORKER_METRICS_PORT, registry=metrics.registry())

"""What a process loads when it starts stays until it ends."""

import gc
from typing import Any

from celery.signals import worker_process_init
from django.urls import get_resolver


def settle(**_: Any) -> None:
    """Have the garbage collector pass over what is there by now.

    It would look through all of it, some 200,000 objects, every second of a rush: 0.2 s in which
    nobody is answered, and a sixth of the processor's time.
    """
    gc.collect()
    gc.freeze()


def settle_web() -> None:
    """With all views and routes, which Django loads with the first request."""
    _ = get_resolver().url_patterns
    settle()


def listen() -> None:
    """Connected once, by the composition root."""
    worker_process_init.connect(settle, dispatch_uid="souk.startup.settle")

"""Points at which a process of the fault tests kills itself: once, and as SIGKILL does."""

import functools
import os
import signal
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.apps import AppConfig


def die_once() -> None:
    """End this process and all of its group, the first time that anybody comes here."""
    try:
        os.close(os.open(os.environ["FAULT_MARK"], os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return
    os.killpg(os.getpgid(0), signal.SIGKILL)


def deadly(func: Callable[..., Any], when: str) -> Callable[..., Any]:
    """`func`, and the end just `before` or `after` it; or only the time of a "slow" answer."""

    @functools.wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        if when == "before":
            die_once()
        if when == "slow":
            time.sleep(0.5)
        result = func(*args, **kwargs)
        if when == "after":
            die_once()
        return result

    return wrapper


class Points(AppConfig):
    name = "tests.faults"
    label = "faults"

    def ready(self) -> None:
        from common.outbox import services as outbox  # noqa: PLC0415
        from payments.stripe import gateway  # noqa: PLC0415

        if os.environ.get("FAULT_QUICK"):
            outbox.LEASE = timedelta(seconds=4)
            outbox.RESEND_AFTER = timedelta(seconds=2)
        name, _, when = os.environ.get("FAULT_POINT", "").partition(":")
        for module in (gateway, outbox) if name else ():
            if hasattr(module, name):
                setattr(module, name, deadly(getattr(module, name), when))
                return
        if name:
            raise LookupError(f"no point is called {name}")

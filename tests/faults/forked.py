"""A forked process that carries a script out and is killed at one point of a table.

SIGKILL of a real process, without the seconds that a whole shop takes to start: what it had not
committed is gone, what it had sent is sent, and no `except` or `finally` of it runs.
"""

import functools
import json
import os
import signal
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from common.outbox import services as outbox
from payments.exchange import gateway as venue
from payments.stripe import gateway
from payments.stripe.gateway import asking

PROVIDER_CALLS = (
    "create_customer",
    "create_intent",
    "confirm_intent",
    "retrieve_intent",
    "cancel_intent",
    "create_refund",
    "retrieve_refund",
    "retrieve_dispute",
)
Points = dict[str, tuple[Any, str]]
POINTS: Points = {
    **{name: (gateway, name) for name in PROVIDER_CALLS},
    "commit": (BaseDatabaseWrapper, "_commit"),
    "send": (outbox, "send"),
    "claim": (outbox, "claim"),
    "acknowledge": (outbox, "finish"),
}
Script = Callable[[Callable[[str], None]], None]


@dataclass(frozen=True, slots=True)
class Kill:
    """The end `when` ("before" or "after") the visit number `visit` of a point."""

    point: str
    when: str
    visit: int


@dataclass(frozen=True, slots=True)
class Run:
    """What was acknowledged, how often each point was visited, and whether the run was killed."""

    acknowledged: list[str]
    visits: Counter[str]
    killed: bool


def run_forked(
    script: Script, folder: Path, kill: Kill | None = None, *, points: Points = POINTS
) -> Run:
    """Carry `script` out in another process; it calls what it is given once a step is answered."""
    notes = folder / "notes"
    notes.unlink(missing_ok=True)
    # A socket that two processes share mixes up their answers.
    connections.close_all()
    asking._client.cache_clear()
    venue._client.cache_clear()
    pid = os.fork()
    if pid == 0:
        _child(script, notes, kill, points)
    _, status = os.waitpid(pid, 0)
    killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    assert killed or status == 0, notes.read_text()
    said = [json.loads(line) for line in notes.read_text().splitlines()] if notes.exists() else []
    return Run(
        [text for kind, text in said if kind == "step"],
        Counter(text for kind, text in said if kind == "point"),
        killed,
    )


def _child(script: Script, notes: Path, kill: Kill | None, points: Points) -> None:
    """Never returns: the tests that are this process's memory must not run on in it."""
    code = 1
    try:
        with notes.open("a", buffering=1) as file:

            def note(kind: str, text: str) -> None:
                file.write(json.dumps([kind, text]) + "\n")

            for name, (owner, attribute) in points.items():
                visited = _visited(getattr(owner, attribute), name, kill, note)
                setattr(owner, attribute, visited)
            try:
                script(functools.partial(note, "step"))
                code = 0
            except BaseException as error:
                note("error", repr(error))
    finally:
        os._exit(code)


def _visited(func: Any, name: str, kill: Kill | None, note: Callable[[str, str], None]) -> Any:
    count = 0

    @functools.wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        nonlocal count
        count += 1
        visit = count
        note("point", name)
        if kill == Kill(name, "before", visit):
            os.kill(os.getpid(), signal.SIGKILL)
        result = func(*args, **kwargs)
        if kill == Kill(name, "after", visit):
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    return wrapper

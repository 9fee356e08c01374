"""A crowd of callers beside the server, and what a way of asking looks like."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, Final

from benchmarks import shape as shapes
from benchmarks.shape import ROOT, Shape

CALLERS: Final = int(os.environ.get("CALLERS", "64"))
CLIENTS: Final = int(os.environ.get("CLIENTS", "2"))
Call = list[str]
BUYERS: Final = ("buyers.py",)


def request(
    method: str, path: str, body: Any = None, *, token: str = "", headers: Sequence[str] = ()
) -> str:
    """A whole HTTP/1.1 request; `body` is sent as JSON, text as it is."""
    text = body if isinstance(body, str) else "" if body is None else json.dumps(body)
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", *headers]
    if token:
        lines.append(f"Authorization: Bearer {token}")
    if text:
        lines += ["Content-Type: application/json", f"Content-Length: {len(text.encode())}"]
    elif method != "GET":
        lines.append("Content-Length: 0")
    return "\r\n".join([*lines, "", text])


def _nothing() -> None:
    return None


def _fine(_made: Any, _good: int) -> str:
    return ""


@dataclass(frozen=True, kw_only=True)
class Way:
    """One thing to ask for. What `before` makes is not measured, and is handed to the others.

    `once`: no call is made twice, and a round ends with the last; else in turn until its time is
    over. `check` gets the number of good answers, those of warming up included, and returns what
    is not exact. `carry`: see `buyers.py`.
    """

    name: str
    calls: Callable[[Any], list[Call]]
    good: int = 200
    before: Callable[[], Any] = _nothing
    check: Callable[[Any, int], str] = _fine
    # A run's first second is not what a rush is like. With `drain`: until nothing is left to sell.
    warm: float = 0.5
    drain: bool = False
    once: bool = False
    carry: str = ""
    callers: int = CALLERS
    # Port and process of another server than the shop's.
    server: tuple[int, int] | None = None
    # The callers' program and its words. One that is not a buyer is the "app" whose time is told.
    program: tuple[str, ...] = BUYERS


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """One way to another by `figure`, with what is aimed at: at least, or at most where `most`."""

    name: str
    above: str
    below: str
    target: float | None = None
    most: bool = False
    figure: str = "per_second"

    def holds(self, value: float) -> bool:
        return not self.target or (value <= self.target if self.most else value >= self.target)


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """Ways that are measured in turn. `prepare` fills the database before the server starts."""

    about: str
    prepare: Callable[[Shape], Sequence[Way]]
    ratios: Sequence[Ratio] = ()
    # Whether what was written must leave the shop's books in order.
    exact: bool = True
    notes: Sequence[str] = field(default=())


class Crowd:
    """Processes of callers, CLIENTS of each program with CALLERS threads in all."""

    def __init__(self, ends: ExitStack) -> None:
        self._ends = ends
        self._started: dict[tuple[str, ...], list[subprocess.Popen[str]]] = {}

    def processes(self, program: tuple[str, ...]) -> list[subprocess.Popen[str]]:
        if program not in self._started:
            self._started[program] = [self._start(*program) for _ in range(CLIENTS)]
        return self._started[program]

    def _start(self, script: str, *words: str) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        argv = [sys.executable, str(ROOT / "benchmarks" / script), *words]
        process = subprocess.Popen(argv, stdin=pipe, stdout=pipe, text=True)
        self._ends.callback(shapes.end, process)
        return process

    def rush(self, port: int, calls: list[Call], seconds: float, way: Way) -> dict[str, Any]:
        """Statuses, milliseconds of each call, and the seconds that all took."""
        job = {"port": port, "seconds": seconds, "once": way.once, "carry": way.carry}
        job["threads"] = max(1, way.callers // CLIENTS)
        crowd = self.processes(way.program)[: way.callers]
        for number, process in enumerate(crowd):
            line = json.dumps({**job, "calls": calls[number :: len(crowd)]})
            print(line, file=process.stdin, flush=True)
        answers = [
            json.loads(str(process.stdout and process.stdout.readline())) for process in crowd
        ]
        statuses: Counter[str] = Counter()
        for one in answers:
            statuses.update(one["statuses"])
        times = [ms for one in answers for ms in one["times"]]
        took = max(one["took"] for one in answers)
        return {"statuses": dict(statuses), "times": times, "took": took}


def drive(shape: Shape, crowd: Crowd, way: Way, seconds: float) -> dict[str, Any]:
    """One round of one way; its raw figures, with `inexact` where its check says so."""
    made = way.before()
    calls = way.calls(made)
    port, pid = way.server or (shape.port, shape.web_pid)
    app = [pid] if way.program == BUYERS else [one.pid for one in crowd.processes(way.program)]
    warmed = 0 if way.once else _warm(crowd, port, calls, way)
    before = shape.spent(*app)
    found = crowd.rush(port, calls, seconds, way)
    found["spent"] = {name: now - before[name] for name, now in shape.spent(*app).items()}
    good = found["statuses"].get(str(way.good), 0)
    if wrong := way.check(made, good + warmed):
        found["inexact"] = wrong
    return found


def _warm(crowd: Crowd, port: int, calls: list[Call], way: Way) -> int:
    """How many were served meanwhile."""
    served = 0
    while True:
        statuses = crowd.rush(port, calls, way.warm, way)["statuses"]
        some = int(statuses.get("201" if way.drain else str(way.good), 0))
        served += some
        if not (way.drain and some):
            return served

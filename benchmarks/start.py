"""How long each process of the shop takes until it works, and how much memory it has then.

Started ROUNDS times each on a filled database, in turn; a bare Django project with one view beside
them. A process counts as started when it answers, or says in its log that it takes tasks.
"""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks import report
from benchmarks.shape import Shape, answers, cpu, end, free_port, memory, say, shape

ROUNDS: Final = int(os.environ.get("ROUNDS") or 5)
PATIENCE: Final = 60
CALLS: Final = 500
GRANIAN: Final = "-m granian --host 127.0.0.1 --port {port} --workers 1 --blocking-threads 8"
CELERY: Final = "-m celery --app=config"
# Words for Python; what says that it works: a path that answers, a file, or a line of its log.
SCHEDULE: Final = "beat-schedule"
PROCESSES: Final = {
    "bare Django": (f"{GRANIAN} --interface wsgi benchmarks.shop.bare:application", "/"),
    "web": (f"{GRANIAN} --interface wsgi config.wsgi:application", "/livez"),
    "stream": (
        "-m granian --host 127.0.0.1 --port {port} --workers 1 --interface asgi "
        "config.asgi:application",
        "/livez",
    ),
    "worker of two processes": (
        f"{CELERY} worker --concurrency=2 --without-mingle --without-gossip --loglevel=INFO",
        "ready.",
    ),
    "worker of two threads": (
        f"{CELERY} worker --pool=threads --concurrency=2 --without-mingle --without-gossip "
        "--loglevel=INFO",
        "ready.",
    ),
    "beat": (f"{CELERY} beat --schedule={{folder}}/{SCHEDULE} --pidfile=", SCHEDULE),
}
# What the shop's web process may take.
MOST_SECONDS, MOST_MEGABYTES = 2.0, 120.0


@dataclass(frozen=True)
class Started:
    """Seconds until it works, processor seconds that took, megabytes then and after CALLS."""

    seconds: float
    cpu_seconds: float
    megabytes: float
    used_megabytes: float


def run() -> list[str]:
    with shape() as served:
        found: dict[str, list[Started]] = {name: [] for name in PROCESSES}
        for number in range(ROUNDS):
            for name in PROCESSES:
                found[name].append(_started(served, name))
                say(f"round {number + 1} of {ROUNDS}: {name}: {found[name][-1]}")
        facts = {"rounds": ROUNDS, **served.versions, **report.machine()}
    lines = _page(found, facts)
    print("\n".join(lines), flush=True)
    raw = {name: [vars(one) for one in each] for name, each in found.items()}
    report.keep("start", lines, {"about": facts, "rounds": raw})
    return []


def _started(served: Shape, name: str) -> Started:
    words, sign = PROCESSES[name]
    port, log = free_port(), served.folder / "started.log"
    for kept in served.folder.glob(f"{SCHEDULE}*"):
        kept.unlink()
    argv = [sys.executable, *words.format(port=port, folder=served.folder).split()]
    began = time.monotonic()
    with log.open("wb") as out:
        process = subprocess.Popen(argv, stdout=out, stderr=out)
    try:
        seconds = _wait(_sign(port, log, sign), began, log)
        spent, fresh = cpu(process.pid) / 1000, family_memory(process.pid)
        if sign.startswith("/"):
            for _ in range(CALLS):
                answers(port, sign)
        return Started(
            round(seconds, 2),
            round(spent, 2),
            round(fresh, 1),
            round(family_memory(process.pid), 1),
        )
    finally:
        end(process)


def _sign(port: int, log: Path, sign: str) -> Callable[[], bool]:
    if sign.startswith("/"):
        return lambda: answers(port, sign)
    if sign == SCHEDULE:
        return lambda: any(log.parent.glob(f"{SCHEDULE}*"))
    return lambda: sign in log.read_text(errors="replace")


def _wait(works: Callable[[], bool], began: float, log: Path) -> float:
    while not works():
        if time.monotonic() - began > PATIENCE:
            raise RuntimeError(log.read_text()[-2000:])
        time.sleep(0.02)
    return time.monotonic() - began


def family_memory(pid: int) -> float:
    """Megabytes of a process and its children, shared pages in equal parts."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return memory(pid) + sum(family_memory(int(child)) for child in children)


def _page(found: dict[str, list[Started]], facts: dict[str, Any]) -> list[str]:
    rows = [f"| {name} | {' | '.join(_medians(each))} |" for name, each in found.items()]
    web = found["web"]
    seconds, megabytes = (
        statistics.median(x) for x in zip(*[(w.seconds, w.megabytes) for w in web], strict=True)
    )
    return [
        *report.heading("start", __doc__, facts),
        f"| process | seconds | processor seconds | MB | MB after {CALLS} calls |",
        "| --- | --- | --- | --- | --- |",
        *rows,
        "",
        "| web process | measured | target | met |",
        "| --- | --- | --- | --- |",
        _target("seconds to its first answer", seconds, MOST_SECONDS),
        _target("MB", megabytes, MOST_MEGABYTES),
    ]


def _medians(each: list[Started]) -> list[str]:
    columns = zip(*(vars(one).values() for one in each), strict=True)
    return [f"{statistics.median(column):g}" for column in columns]


def _target(name: str, value: float, most: float) -> str:
    return f"| {name} | {value:g} | {most:g} at most | {'yes' if value <= most else '**no**'} |"

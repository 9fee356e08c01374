"""What is measured otherwise than by ways in turn, by name: `make bench NAME=start`.

Each returns what was not exact.
"""

import subprocess
import sys
from collections.abc import Callable
from typing import Final

from benchmarks.shape import ROOT

Measure = Callable[[], list[str]]


def _script(*words: str) -> Measure:
    """A program of its own, which tells its result itself."""

    def run() -> list[str]:
        argv = [sys.executable, *words]
        done = subprocess.run(argv, cwd=ROOT, check=False)
        return [f"{words[0]} ended with {done.returncode}"] if done.returncode else []

    return run


def _start() -> list[str]:
    from benchmarks import start

    return start.run()


def _workers() -> list[str]:
    from benchmarks import workers

    return workers.run()


def _stream() -> list[str]:
    from benchmarks import streams

    return streams.run()


ALL: Final[dict[str, Measure]] = {
    "start": _start,
    "workers": _workers,
    "dashboards": _script("benchmarks/dashboard.py"),
    "leaderboard": _script("benchmarks/leaderboard.py"),
    "days": _script("benchmarks/days.py"),
    "stream": _stream,
}

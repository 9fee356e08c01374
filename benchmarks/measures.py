"""What is measured otherwise than by ways in turn, by name: `make bench NAME=start`.

Each returns what was not exact.
"""

import subprocess
import sys
from collections.abc import Callable
from typing import Final

from benchmarks import ROOT

Measure = Callable[[], list[str]]


def _apart(module: str) -> Measure:
    """A program of its own, which tells its result itself."""

    def run() -> list[str]:
        done = subprocess.run([sys.executable, "-m", module], cwd=ROOT, check=False)
        return [f"{module} ended with {done.returncode}"] if done.returncode else []

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
    "dashboards": _apart("benchmarks.dashboard"),
    "leaderboard": _apart("benchmarks.leaderboard"),
    "days": _apart("benchmarks.days"),
    "stream": _stream,
}

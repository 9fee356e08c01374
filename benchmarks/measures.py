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
    """A program of its own, which writes its result itself."""

    def run() -> list[str]:
        done = subprocess.run([sys.executable, *words], cwd=ROOT, check=False)
        return [f"{words[-1]} ended with {done.returncode}"] if done.returncode else []

    return run


def _start() -> list[str]:
    from benchmarks import start

    return start.run()


def _workers() -> list[str]:
    from benchmarks import workers

    return workers.run()


ALL: Final[dict[str, Measure]] = {
    "start": _start,
    "workers": _workers,
    "dashboards": _script("benchmarks/dashboard.py"),
    "leaderboard": _script("benchmarks/leaderboard.py"),
}

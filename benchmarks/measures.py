"""What is measured otherwise than by ways in turn, by name: `make bench NAME=start`.

Each returns what was not exact.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Final

from benchmarks.shape import ROOT

Measure = Callable[[], list[str]]


def _script(*words: str, **environment: str) -> Measure:
    """A program of its own, which tells its result itself."""

    def run() -> list[str]:
        argv = [sys.executable, *words]
        done = subprocess.run(argv, cwd=ROOT, env=os.environ | environment, check=False)
        return [f"{words[0]} ended with {done.returncode}"] if done.returncode else []

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
    "days": _script("benchmarks/days.py"),
    # 2,000 listeners while 1,000 units sell, on the servers of the tests.
    "stream": _script(
        *(".ci/servers.py", "run", "--", sys.executable, "-m", "pytest"),
        *("tests/faults/test_stream.py", "-k", "every_listener", "--timeout", "600"),
        PROVE="1",
    ),
}

"""One process of the shape: started, ended kindly or not, and started again."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from throwaway.process import _end_with_parent

ROOT = Path(__file__).resolve().parents[2]


def wait_until(what: Callable[[], bool], *, seconds: float, why: Callable[[], str] = str) -> float:
    """Ask until it is true; how long that took. TimeoutError with `why` after `seconds`."""
    started = time.monotonic()
    while not what():
        taken = time.monotonic() - started
        if taken > seconds:
            raise TimeoutError(f"not within {seconds:g} s; {why()}")
        time.sleep(0.05)
    return time.monotonic() - started


@dataclass
class Process:
    """`name` is its log's; `grace` what it has to end in, in seconds, or it is an error.

    Far more than docker-compose.yml gives it: a busy machine is none of its faults.

    It leads a group of its own, so that a kill takes its children along, as losing a machine does.
    """

    name: str
    argv: Sequence[str]
    environment: Mapping[str, str]
    folder: Path
    grace: float = 180
    child: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def start(self) -> None:
        if self.is_running():
            raise RuntimeError(f"{self.name} runs already")
        with self._log().open("ab") as log:
            self.child = subprocess.Popen(
                [*_end_with_parent(), *self.argv],
                cwd=ROOT,
                env={**self.environment, "PROMETHEUS_MULTIPROC_DIR": str(self._metrics())},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def is_running(self) -> bool:
        return self.child is not None and self.child.poll() is None

    @property
    def pid(self) -> int:
        if self.child is None:
            raise RuntimeError(f"{self.name} was never started")
        return self.child.pid

    def terminate(self) -> float:
        """SIGTERM, as an orchestrator ends it; the seconds until it had ended."""
        started = time.monotonic()
        if self.is_running():
            os.kill(self.pid, signal.SIGTERM)
            self._wait()
        return time.monotonic() - started

    def _wait(self) -> None:
        try:
            if self.child is not None:
                self.child.wait(self.grace)
        except subprocess.TimeoutExpired:
            self.kill()
            raise TimeoutError(f"{self.name} did not end within {self.grace:g} s") from None

    def kill(self) -> None:
        """SIGKILL of it and of all its children."""
        if self.child is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            self.child.wait()

    def log(self) -> str:
        path = self._log()
        return path.read_text(errors="replace")[-4000:] if path.exists() else ""

    def _log(self) -> Path:
        return self.folder / f"{self.name}.log"

    def _metrics(self) -> Path:
        """Empty at each start, as a container's /tmp is."""
        path = self.folder / "metrics" / self.name
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(parents=True)
        return path


def family(pid: int) -> list[int]:
    """A process and all below it."""
    found, waiting = [], [pid]
    while waiting:
        current = waiting.pop()
        children = Path(f"/proc/{current}/task/{current}/children")
        with suppress(OSError):
            waiting += map(int, children.read_text().split())
            found.append(current)
    return found


def memory(pid: int) -> int:
    """Bytes of a process and all below it; what several share counts once (PSS)."""
    return sum(_proportional(each) for each in family(pid))


def _proportional(pid: int) -> int:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0

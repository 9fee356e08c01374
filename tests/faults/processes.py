"""A shop of real processes, each of which may be killed and started again."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / ".ci"))

import servers  # noqa: E402  # found by the line above
from throwaway.base import free_port  # noqa: E402
from throwaway.process import _end_with_parent  # noqa: E402

from tests.sizes import LOOSE  # noqa: E402

__all__ = ["Shop", "free_port", "servers", "wait_until"]

PYTHON = sys.executable


def wait_until(what: Callable[[], Any], *, seconds: float, why: Callable[[], str] = str) -> float:
    """Ask until `what` is true; how long it took. AssertionError with `why` after `seconds`."""
    started = time.monotonic()
    while not what():
        taken = time.monotonic() - started
        assert taken < seconds, f"not within {seconds} s; {why()}"
        time.sleep(0.1)
    return time.monotonic() - started


class Shop:
    """Web server, worker and beat as subprocesses with production's settings.

    `folder` keeps the logs. Each process leads a group of its own, so that a kill takes the
    worker's children as well, as the loss of a machine does.
    """

    def __init__(self, folder: Path, *, database_url: str, redis_url: str, stripe_url: str) -> None:
        self.folder = folder
        self.port = free_port()
        self.ports = {"web": self.port}
        self.url = f"http://127.0.0.1:{self.port}"
        self.stream_port = free_port()
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self.environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.faults.settings",
            "PYTHONPATH": str(ROOT),
            # The tests' own keys: tokens made by a test are good here.
            "SECRET_KEY": "a-secret-key-for-tests-only-0123456789-abcdefghijklmnop",
            "JWT_SIGNING_KEY": "a-signing-key-for-tests-only-0123456789-abcdefghijklmnop",
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "STRIPE_SECRET_KEY": "",
            "STRIPE_SANDBOX_URL": stripe_url,
            "STRIPE_WEBHOOK_SECRET": "whsec_tests",
            "SECURE_SSL_REDIRECT": "0",
            "LOG_LEVEL": "INFO",
        }

    def start_web(self, name: str = "web", **switches: str) -> str:
        """Its address; another name is another server, on a port that it keeps."""
        port = self.ports.setdefault(name, free_port())
        self._start(
            name,
            # After 30 s a connection that is never idle may be closed between two requests: a crowd
            # on a slow machine takes longer.
            "-m granian --interface wsgi --host 127.0.0.1 --workers 1 --blocking-threads 4 "
            f"--http1-header-read-timeout 60000 --port {port} config.wsgi:application",
            switches,
        )
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: self._answers(url), seconds=60 * LOOSE, why=partial(self.log, name))
        return url

    def start_stream(self, **switches: str) -> None:
        self._start(
            "stream",
            "-m granian --interface asgi --host 127.0.0.1 --workers 1 --backlog 4096 "
            f"--workers-kill-timeout 10 --port {self.stream_port} config.asgi:application",
            switches,
        )
        url = f"http://127.0.0.1:{self.stream_port}"
        wait_until(lambda: self._answers(url), seconds=60 * LOOSE, why=partial(self.log, "stream"))

    def start_worker(self, **switches: str) -> None:
        self._start(
            "worker",
            "-m celery --app=config worker --queues=payments,webhooks,mail,background "
            "--concurrency=2 --loglevel=INFO",
            switches,
        )

    def start_beat(self, **switches: str) -> None:
        schedule = self.folder / f"beat-{time.monotonic_ns()}"
        self._start(
            "beat",
            f"-m celery --app=config beat --schedule={schedule} --pidfile= --loglevel=INFO",
            switches,
        )

    def _start(self, name: str, words: str, switches: dict[str, str]) -> None:
        assert name not in self.running, f"{name} runs already"
        with self._path(name).open("ab") as log:
            self.running[name] = subprocess.Popen(
                # A test run that is killed takes its shop along.
                [*_end_with_parent(), PYTHON, *words.split()],
                cwd=ROOT,
                env=self.environment | switches,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def manage(self, *words: str) -> str:
        """Run a management command with the settings of the processes; what it printed."""
        done = subprocess.run(
            [PYTHON, "manage.py", *words],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    def kill(self, name: str) -> None:
        """SIGKILL of the whole group."""
        process = self.running.pop(name)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def wait_dead(self, name: str, *, seconds: float) -> None:
        """Wait until a process has ended by itself, at its fail point."""
        process = self.running[name]
        wait_until(lambda: process.poll() is not None, seconds=seconds, why=partial(self.log, name))
        assert process.returncode == -signal.SIGKILL
        self.kill(name)

    def restart_ended_worker(self, **switches: str) -> None:
        """What the container's restart policy does with a worker that has ended by itself."""
        if self.running["worker"].poll() is not None:
            self.kill("worker")
            self.start_worker(**switches)

    def stop(self) -> None:
        for name in list(self.running):
            self.kill(name)

    def log(self, name: str) -> str:
        path = self._path(name)
        return path.read_text(errors="replace")[-12000:] if path.exists() else ""

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def _answers(self, url: str) -> bool:
        try:
            return httpx.get(f"{url}/livez", timeout=5, trust_env=False).status_code == 200
        except httpx.HTTPError:
            return False

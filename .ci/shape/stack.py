"""nginx, two web replicas, streams, workers for each queue, beat, and their servers."""

import os
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from throwaway.base import HOST, free_port

from shape.nginx import Front
from shape.process import ROOT, Process, memory, wait_until

PYTHON: Final = sys.executable
# Processes of Celery by queue, as in docker-compose.yml.
WORKERS: Final = {
    "worker-payments": ("payments", 2),
    "worker-webhooks": ("webhooks", 1),
    "worker-mail": ("mail", 1),
    "worker-background": ("background", 2),
}
ALL_QUEUES: Final = "payments,webhooks,mail,background"


class Stack:
    """The shop's processes; MySQL, Redis and Stripe are somebody else's, by their URLs.

    `small` is the shape for 1 GB: one replica, and one worker for all queues, with beat inside.
    `together`: one worker for all queues, which tests on few processors are content with.
    """

    def __init__(
        self,
        folder: Path,
        environment: Mapping[str, str],
        *,
        port: int | None = None,
        replicas: int = 2,
        small: bool = False,
        together: bool = False,
    ) -> None:
        self.folder, self.small = folder, small
        folder.mkdir(parents=True, exist_ok=True)
        self.port = port or free_port()
        self.url = f"http://{HOST}:{self.port}"
        names = ["web-1"] if small else [f"web-{n}" for n in range(1, replicas + 1)]
        self.web = {name: free_port() for name in names}
        self.stream_port = free_port()
        self.environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "TRUSTED_PROXIES": HOST,
            "STREAM_URL": self.url,
            "PUBLIC_URL": self.url,
            "SECURE_SSL_REDIRECT": "0",
            **environment,
        }
        self.front = Front(folder / "nginx", self.port, self.web, self.stream_port)
        self.processes: dict[str, Process] = {}
        for name in self.web:
            self._add(name, self._granian(name, "wsgi"))
        self._add("stream", self._granian("stream", "asgi"))
        self._add_workers(together=together)

    def _granian(self, name: str, interface: str) -> str:
        port = self.web.get(name, self.stream_port)
        threads = "--blocking-threads 8 --backpressure 64 --workers-kill-timeout 30"
        how = threads if interface == "wsgi" else "--backlog 4096 --workers-kill-timeout 10"
        return (
            f"-m granian --interface {interface} --host {HOST} --port {port} --workers 1 {how} "
            f"--respawn-failed-workers config.{interface}:application"
        )

    def _add_workers(self, *, together: bool) -> None:
        celery, at = "-m celery --app=config", f"--schedule={self.folder / 'beat-schedule'}"
        work = f"{celery} worker --loglevel=INFO --without-mingle --without-gossip"
        if self.small:
            threads = f"{work} --queues={ALL_QUEUES} --pool=threads --concurrency=2"
            self._add("worker", f"{threads} --beat {at}")
            return
        workers = {"worker": (ALL_QUEUES, 2)} if together else WORKERS
        for name, (queues, count) in workers.items():
            own = f"--queues={queues} --concurrency={count} --hostname={name}@%h"
            self._add(name, f"{work} {own}")
        self._add("beat", f"{celery} beat {at} --pidfile= --loglevel=INFO")

    def _add(self, name: str, words: str) -> None:
        argv = (PYTHON, *words.split())
        self.processes[name] = Process(name, argv, self.environment, self.folder)

    def start(self, names: Iterable[str] = ()) -> None:
        """All of them, or these; returns once they answer."""
        chosen = list(names) or list(self.processes)
        for name in chosen:
            self.processes[name].start()
        for name in chosen:
            self.wait_ready(name)

    def start_nginx(self) -> None:
        nginx = Process("nginx", self.front.argv(), self.environment, self.folder)
        self.processes["nginx"] = nginx
        nginx.start()
        wait_until(lambda: answers(f"{self.url}/livez"), seconds=120, why=nginx.log)

    def wait_ready(self, name: str) -> None:
        """A replica is ready for requests; what has no port counts as ready once it runs."""
        port = {**self.web, "stream": self.stream_port}.get(name)
        if port:
            path = "readyz" if name in self.web else "livez"
            url = f"http://{HOST}:{port}/{path}"
            wait_until(lambda: answers(url), seconds=240, why=self.processes[name].log)

    def roll(self, name: str) -> float:
        """Exchange a replica under load: taken out, drained, started again, put back.

        The seconds that it took to end.
        """
        self.front.drain(name)
        took = self.processes[name].terminate()
        self.processes[name].start()
        self.wait_ready(name)
        self.front.fill(name)
        return took

    def restart(self, name: str) -> None:
        """SIGTERM and a new one, as an orchestrator does with what no request goes to."""
        self.processes[name].terminate()
        self.processes[name].start()
        self.wait_ready(name)

    def lose(self, name: str) -> None:
        """SIGKILL."""
        self.processes[name].kill()

    def heal(self) -> list[str]:
        """Start what has ended, as a restart policy does; what that was."""
        ended = [name for name, process in self.processes.items() if not process.is_running()]
        for name in ended:
            self.processes[name].start()
        return ended

    def stop(self) -> None:
        """All of them, nginx first, those that wait for others last."""
        for process in reversed(self.processes.values()):
            if process.is_running():
                os.kill(process.pid, 15)
        for process in self.processes.values():
            try:
                process.terminate()
            except TimeoutError:
                process.kill()

    def kill(self) -> None:
        for process in self.processes.values():
            process.kill()

    def manage(self, *words: str, **environment: str) -> str:
        """What a command of manage.py printed. Raises CalledProcessError with its output."""
        done = subprocess.run(
            [PYTHON, "manage.py", *words],
            cwd=ROOT,
            env=self.environment | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"manage.py {words[0]}: {done.stdout[-3000:]}")
        return done.stdout

    def collect_static(self) -> None:
        place = self.folder / "static"
        shutil.rmtree(place, ignore_errors=True)
        self.environment["STATIC_ROOT"] = str(place)
        for process in self.processes.values():
            process.environment = self.environment
        self.manage("collectstatic", "--noinput", "-v", "0")

    def memory(self) -> dict[str, int]:
        """Bytes of each, its children included."""
        return {n: memory(p.pid) for n, p in self.processes.items() if p.is_running()}


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False

"""The servers a benchmark drives: MySQL, Redis, the shop, Stripe's sandbox, all on loopback."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import servers
from throwaway.base import HOST, free_port

from benchmarks import ROOT

WEB_THREADS: Final = os.environ.get("WEB_THREADS", "32")
TICK: Final = os.sysconf("SC_CLK_TCK")


def say(text: str) -> None:
    """Progress, beside what a benchmark prints."""
    print(f"bench: {text}", file=sys.stderr, flush=True)


def cpu(pid: int) -> float:
    """Milliseconds of processor time of a process and of all its children that live."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        spent = (int(fields[11]) + int(fields[12])) * 1000 / TICK
        parents[int(path.parent.name)] = (int(fields[1]), spent)
    family = {pid}
    while found := {p for p, (parent, _) in parents.items() if parent in family} - family:
        family |= found
    return sum(parents[each][1] for each in family if each in parents)


def memory(pid: int) -> float:
    """Megabytes of a process, shared pages in equal parts."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return next(int(x.split()[1]) / 1024 for x in rollup.splitlines() if x.startswith("Pss:"))


class Shape:
    """One web server of two processes on servers of its own; `ends` takes all of it down."""

    def __init__(self, folder: Path, ends: ExitStack) -> None:
        self.folder, self.ends, self.port = folder, ends, free_port()
        for name in ("mysql", "redis"):
            (folder / name).mkdir()
        self.mysql = servers.start_mysql(folder / "mysql")
        ends.callback(self.mysql.stop)
        self.redis = servers.start_redis(folder / "redis")
        ends.callback(self.redis.stop)
        self.stripe = self._stripe()
        os.environ |= self._environment()
        self.manage("migrate", "-v0")
        import django  # the settings are known only now

        django.setup()
        self.web: subprocess.Popen[bytes] | None = None

    def _stripe(self) -> str:
        port = free_port()
        where = f"--port={port} --db={self.folder / 'stripe.sqlite3'} --settle-seconds=0"
        argv = [sys.executable, "-m", "payments.sandbox.stripe", *where.split()]
        self.start("stripe", argv)
        wait_for(port, self.folder / "stripe.log", "/healthz")
        return f"http://{HOST}:{port}"

    def _environment(self) -> dict[str, str]:
        return {
            "DJANGO_SETTINGS_MODULE": "benchmarks.shop.settings",
            "PYTHONPATH": str(ROOT),
            "SECRET_KEY": "a-secret-key-for-the-benchmark-0123456789-abcdefghijklmnop",
            "JWT_SIGNING_KEY": "a-signing-key-for-the-benchmark-0123456789-abcdefghijklmnop",
            "DATABASE_URL": self.mysql.url,
            "REDIS_URL": self.redis.url,
            "STRIPE_SECRET_KEY": "",
            "STRIPE_SANDBOX_URL": self.stripe,
            "STRIPE_WEBHOOK_SECRET": "whsec_benchmark",
            # Orders are taken and sealed; no worker runs that would send them.
            "EXCHANGE_VENUE_URL": f"http://{HOST}:1",
            "SECURE_SSL_REDIRECT": "0",
            "MARKET_SIMULATED": "1",
            "LOG_LEVEL": os.environ.get("LOG_LEVEL", "INFO"),
        }

    def manage(self, *words: str) -> None:
        subprocess.run([sys.executable, "manage.py", *words], cwd=ROOT, check=True)

    def start_web(self) -> None:
        self.web = self._start_web("web", self.port)

    def _start_web(self, name: str, port: int, **settings: str) -> subprocess.Popen[bytes]:
        words = (
            "-m granian --interface wsgi --host 127.0.0.1 --workers 2 --backpressure 128 "
            f"--blocking-threads {WEB_THREADS} --port {port} config.wsgi:application"
        )
        argv = [sys.executable, *words.split()]
        web = self.start(name, argv, env=os.environ | settings)
        wait_for(port, self.folder / f"{name}.log")
        return web

    def another_web(self, name: str, **settings: str) -> tuple[int, int]:
        """Port and process of a second server of the same shop, with other settings."""
        port = free_port()
        return port, self._start_web(name, port, **settings).pid

    def start(self, name: str, argv: list[str], **more: Any) -> subprocess.Popen[bytes]:
        """A process that ends with the shape; its log is beside the data."""
        log = self.ends.enter_context((self.folder / f"{name}.log").open("wb"))
        process = subprocess.Popen(argv, cwd=ROOT, stdout=log, stderr=log, **more)
        self.ends.callback(end, process)
        return process

    @property
    def web_pid(self) -> int:
        if self.web is None:
            raise RuntimeError("the web server was not started")
        return self.web.pid

    def spent(self, *app: int) -> dict[str, float]:
        """Milliseconds of processor time so far, by server; `app` are those that are asked."""
        pids = {"app": app, "mysqld": (self.mysql.pid,), "redis": (self.redis.pid,)}
        return {name: sum(map(cpu, each)) for name, each in pids.items()}

    @property
    def versions(self) -> dict[str, str]:
        return {"mysql": self.mysql.version, "redis": self.redis.version}

    def breaches(self) -> list[str]:
        """What does not hold. No worker runs, so that mails are late; everything else must."""
        from config import invariants  # Django is set up by now

        return [line for line in invariants.breaches() if not line.startswith("8 ")]


@contextmanager
def shape() -> Iterator[Shape]:
    folder = Path(tempfile.mkdtemp(prefix="souk-bench-"))
    with ExitStack() as ends:
        ends.callback(shutil.rmtree, folder, ignore_errors=True)
        yield Shape(folder, ends)


def end(process: subprocess.Popen[Any]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def wait_for(port: int, log: Path, path: str = "/livez", seconds: float = 30) -> float:
    """Seconds until the server answers. Raises RuntimeError with the end of its log."""
    started = time.monotonic()
    while time.monotonic() - started < seconds:
        if answers(port, path):
            return time.monotonic() - started
        time.sleep(0.02)
    raise RuntimeError(log.read_text()[-2000:])


def answers(port: int, path: str) -> bool:
    try:
        with socket.create_connection((HOST, port), timeout=5) as link:
            link.sendall(f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
            return b" 200 " in link.recv(100)
    except OSError:
        return False

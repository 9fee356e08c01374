"""How fast is a flash purchase? Beside a plain FOR UPDATE one, and beside a view that does nothing.

    make bench-flash [ROUNDS=5] [SECONDS=4]

Starts a durable MySQL, a Redis and a granian (2 processes) on loopback, and 64 buyers in processes
of their own on the same machine. Each round drives every way for some seconds, in another order, so
that a change of load meets all of them. Prints medians over the rounds with their spread, checks
that exactly as many units are gone as were answered with 201 and that all invariants hold, and
writes benchmarks/results/flash-DATE.json and .md. Exit code 1 where anything is not exact.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / ".ci")]

import report  # noqa: E402  # found by the line above
import servers  # noqa: E402
from throwaway.base import free_port  # noqa: E402

BUYERS = int(os.environ.get("BUYERS", "64"))
CLIENTS = int(os.environ.get("CLIENTS", "2"))
THREADS = os.environ.get("WEB_THREADS", "32")
CUSTOMERS = 1024
BODY = '{"quantity": 1, "payment": {"method": "wallet"}}'
# way: (path, units of a fresh run; None needs none, 0 has them all sold beforehand)
WAYS: dict[str, tuple[str, int | None]] = {
    "empty view": ("/benchmark/empty/", None),
    "flash purchase": ("/api/v1/flash-sales/rush/purchases/", 12_000),
    "FOR UPDATE purchase": ("/benchmark/rush/purchases/", 4_000),
    "flash, sold out": ("/api/v1/flash-sales/rush/purchases/", 0),
    "FOR UPDATE, sold out": ("/benchmark/rush/purchases/", 0),
}
TICK = os.sysconf("SC_CLK_TCK")


def say(text: str) -> None:
    print(f"bench-flash: {text}", file=sys.stderr, flush=True)


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


class Bench:
    """Servers, buyers and the shop's world; `ends` takes all of it down again."""

    def __init__(self, folder: Path, ends: ExitStack) -> None:
        (folder / "mysql").mkdir()
        (folder / "redis").mkdir()
        self.mysql = servers.start_mysql(folder / "mysql")
        ends.callback(self.mysql.stop)
        self.redis = servers.start_redis(folder / "redis")
        ends.callback(self.redis.stop)
        self.port, self.folder = free_port(), folder
        os.environ |= {
            "DJANGO_SETTINGS_MODULE": "benchmarks.shop.settings",
            "PYTHONPATH": str(ROOT),
            "SECRET_KEY": "a-secret-key-for-the-benchmark-0123456789-abcdefghijklmnop",
            "JWT_SIGNING_KEY": "a-signing-key-for-the-benchmark-0123456789-abcdefghijklmnop",
            "DATABASE_URL": self.mysql.url,
            "REDIS_URL": self.redis.url,
            "STRIPE_SECRET_KEY": "",
            "STRIPE_SANDBOX_URL": "http://127.0.0.1:1",
            "STRIPE_WEBHOOK_SECRET": "whsec_benchmark",
            "SECURE_SSL_REDIRECT": "0",
            "LOG_LEVEL": os.environ.get("LOG_LEVEL", "INFO"),
        }
        subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=ROOT, check=True)
        self._fill()
        self.web = self._web(ends)
        self.crowd = [self._buyers(ends) for _ in range(CLIENTS)]

    def _fill(self) -> None:
        import django  # noqa: PLC0415  # the settings are known only now

        django.setup()
        from benchmarks.shop import world  # noqa: PLC0415

        say(f"{CUSTOMERS} customers with money")
        self.world, self.tokens = world, world.customers(CUSTOMERS)
        self.sale = world.sale(10_000_000)

    def _web(self, ends: ExitStack) -> subprocess.Popen[bytes]:
        words = (
            "-m granian --interface wsgi --host 127.0.0.1 --workers 2 --backpressure 128 "
            f"--blocking-threads {THREADS} --port {self.port} config.wsgi:application"
        )
        log = ends.enter_context((self.folder / "web.log").open("wb"))
        web = subprocess.Popen([sys.executable, *words.split()], cwd=ROOT, stdout=log, stderr=log)
        ends.callback(_end, web)
        for _ in range(200):
            if _answers(self.port):
                return web
            time.sleep(0.1)
        raise RuntimeError((self.folder / "web.log").read_text()[-2000:])

    def _buyers(self, ends: ExitStack) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        argv = [sys.executable, str(ROOT / "benchmarks" / "buyers.py")]
        crowd = subprocess.Popen(argv, stdin=pipe, stdout=pipe, text=True)
        ends.callback(_end, crowd)
        return crowd

    def drive(self, way: str, seconds: float) -> dict[str, Any]:
        """One way for some seconds; what came, how long it took, what it cost."""
        path, units = WAYS[way]
        run = None if units is None else self.world.hold_run(self.sale.pk, units or BUYERS)
        # Sold out, or warm: a run's first second is not what a rush is like.
        before_it = 0
        while units is not None and (some := self._rush(path, 1.0)["statuses"].get("201", 0)):
            before_it += some
            if units:
                break
        before = self._spent()
        found = self._rush(path, seconds)
        spent = {name: now - before[name] for name, now in self._spent().items()}
        bought = found["statuses"].get("201", 0)
        gone = bought + before_it
        if run and self.world.sold(run) != (gone, gone):
            found["inexact"] = f"{gone} answered, {self.world.sold(run)} in the database"
        if units and gone >= units:
            say(f"{way}: all {units} units sold before the time was over")
        good = "409" if units == 0 else "201" if units else "200"
        return report.measure(found, good, seconds, spent)

    def _rush(self, path: str, seconds: float) -> dict[str, Any]:
        job = {"port": self.port, "path": path, "body": BODY, "seconds": seconds}
        for number, crowd in enumerate(self.crowd):
            tokens = self.tokens[number::CLIENTS]
            line = json.dumps({**job, "threads": BUYERS // CLIENTS, "tokens": tokens})
            print(line, file=crowd.stdin, flush=True)
        answers = [json.loads(crowd.stdout.readline()) for crowd in self.crowd]
        statuses: Counter[str] = Counter()
        for one in answers:
            statuses.update(one["statuses"])
        times = [ms for one in answers for ms in one["times"]]
        return {"statuses": dict(statuses), "times": times}

    def _spent(self) -> dict[str, float]:
        pids = {"app": self.web.pid, "mysqld": self.mysql.pid, "redis": self.redis.pid}
        return {name: cpu(pid) for name, pid in pids.items()}

    def breaches(self) -> list[str]:
        """No worker runs, so that mails are late; everything else holds."""
        from config import invariants  # noqa: PLC0415  # Django is set up by now

        return [line for line in invariants.breaches() if not line.startswith("8 ")]


def _end(process: subprocess.Popen[Any]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()


def _answers(port: int) -> bool:
    import socket  # noqa: PLC0415

    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as link:
            link.sendall(b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            return b" 200 " in link.recv(100)
    except OSError:
        return False


def main() -> int:
    rounds = int(os.environ.get("ROUNDS") or 5)
    seconds = float(os.environ.get("SECONDS") or 4)
    chosen = [way for way in WAYS if os.environ.get("ONLY", "") in way]
    folder = Path(tempfile.mkdtemp(prefix="souk-bench-"))
    results: dict[str, list[dict[str, Any]]] = {way: [] for way in chosen}
    with ExitStack() as ends:
        ends.callback(shutil.rmtree, folder, ignore_errors=True)
        bench = Bench(folder, ends)
        for way in chosen:
            bench.drive(way, 1.0)
        for number in range(rounds):
            turn = number % len(chosen)
            for way in chosen[turn:] + chosen[:turn]:
                found = bench.drive(way, seconds)
                results[way].append(found)
                say(f"round {number + 1} of {rounds}: {way}: {report.line(found)}")
        breaches = bench.breaches()
        versions = {"mysql": bench.mysql.version, "redis": bench.redis.version}
    size = {"rounds": rounds, "seconds": seconds, "buyers": BUYERS, "web_threads": int(THREADS)}
    wrong = [one["inexact"] for found in results.values() for one in found if "inexact" in one]
    report.write(results, size, versions, [*wrong, *breaches])
    return 1 if wrong or breaches else 0


if __name__ == "__main__":
    sys.exit(main())

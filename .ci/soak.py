"""Hours of moderate load with a random fault each minute: `make soak MINUTES=60`.

The production shape as plain processes (.ci/shape) on throw-away servers. First it measures what
the machine sells in ten seconds, then it sells 30 % of that. Each minute one process is killed or
exchanged, MySQL, both Redis and nginx among them, and figures are taken. At the end the invariants
must hold, all that was paid be delivered, and memory, connections of MySQL and keys of Redis not
have grown.
"""

import argparse
import http.client
import json
import random
import secrets
import shutil
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import MySQLdb  # type: ignore[import-untyped]
import redis

sys.path.insert(0, str(Path(__file__).resolve().parent))

import stack as up
from shape.process import memory, wait_until
from shape.stack import Stack
from throwaway.base import UnavailableError

SHARE: Final = 0.3
BUYERS: Final = 6
# Above what half an hour of noise makes; a leak of a kilobyte a purchase is far above it.
GROWTH: Final = 1.25
PATIENCE: Final = 60.0
# Everybody comes from one address; what is not paid is given up within the run.
ENVIRONMENT: Final = {
    "RATE_LIMIT_FACTOR": "0",
    "THROTTLE_FACTOR": "1000",
    "ORDER_HOLD_SECONDS": "60",
}
STOCK: Final = """
from shop.inventory import selectors, services
stock = selectors.stock_by_slug("lamp")
services.stock_adjust(product_id=stock.pk, delta=10_000_000, reason="soak", actor_id=None)
"""


class Buyer:
    """Registers, then buys the lamp again and again; asks again where it is told to."""

    def __init__(self, url: str, said: Counter[str]) -> None:
        self.url, self.said = f"{url}/api/v1/", said
        self.token = ""
        account = {
            "email": f"{uuid.uuid4().hex}@example.com",
            "password": secrets.token_urlsafe(24),
        }
        self.token = self.ask("auth/register/", account)["access"]
        self.refreshed, self.account = time.monotonic(), account

    def buy(self) -> str:
        """The number of an order whose payment was accepted."""
        if time.monotonic() - self.refreshed > 600:
            self.token = ""
            self.token = self.ask("auth/token/", self.account)["access"]
            self.refreshed = time.monotonic()
        body = {"lines": [{"product": "lamp", "quantity": 1}], "payment": {"method": "stripe"}}
        order = self.ask("orders/", body)
        card = {"payment_method": "pm_card_visa"}
        self.ask(f"payments/{order['payment']['id']}/confirm/", card)
        return str(order["number"])

    def ask(self, path: str, body: Any) -> Any:
        """The answer's JSON; a 503, a lost connection or a busy key is tried again."""
        key, until = uuid.uuid4().hex, time.monotonic() + PATIENCE
        while True:
            status, answer = self._once(path, body, key)
            self.said[str(status)] += 1
            if 200 <= status < 300:
                return answer
            if status not in (0, 409, 503) or time.monotonic() > until:
                raise RuntimeError(f"{path}: {status} {answer}")
            time.sleep(0.5)

    def _once(self, path: str, body: Any, key: str) -> tuple[int, Any]:
        headers = {"Content-Type": "application/json"}
        if not path.startswith("auth/"):
            headers |= {"Authorization": f"Bearer {self.token}", "Idempotency-Key": key}
        asked = urllib.request.Request(self.url + path, json.dumps(body).encode(), headers)
        try:
            with urllib.request.urlopen(asked, timeout=60) as answer:
                return answer.status, json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as refusal:
            return refusal.code, refusal.read().decode(errors="replace")[:300]
        except (OSError, http.client.HTTPException) as error:
            return 0, repr(error)


class Load:
    """Buyers in threads of their own; `pause` is what each waits between two purchases."""

    def __init__(self, url: str) -> None:
        self.said: Counter[str] = Counter()
        self.orders: list[str] = []
        self.errors: list[str] = []
        self.pause = 0.0
        self._end = threading.Event()
        self._buyers = [Buyer(url, self.said) for _ in range(BUYERS)]
        self._threads = [threading.Thread(target=self._run, args=(b,)) for b in self._buyers]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join()

    def _run(self, buyer: Buyer) -> None:
        while not self._end.is_set():
            try:
                self.orders.append(buyer.buy())
            except RuntimeError as error:
                self.errors.append(str(error))
            self._end.wait(self.pause)

    def measure(self, seconds: float) -> float:
        """Purchases a second at full load; from then on the pauses make it SHARE of that."""
        before, started = len(self.orders), time.monotonic()
        time.sleep(seconds)
        rate = (len(self.orders) - before) / (time.monotonic() - started)
        each = BUYERS / max(rate, 0.1)
        self.pause = each / SHARE - each
        return rate


class Soak:
    """One run on a stack that is up, with its servers by name."""

    def __init__(self, stack: Stack, servers: dict[str, Any], load: Load) -> None:
        self.stack, self.servers, self.load = stack, servers, load
        self.samples: list[dict[str, float]] = []
        self.left: list[str] = []

    def faults(self) -> dict[str, Callable[[], object]]:
        lost = [
            *self.stack.web,
            "stream",
            "beat",
            *(n for n in self.stack.processes if "work" in n),
        ]
        found: dict[str, Callable[[], object]] = {
            f"kill {name}": lambda name=name: self.stack.lose(name)  # type: ignore[misc]
            for name in lost
        }
        found |= {
            f"exchange {name}": lambda name=name: self.stack.roll(name)  # type: ignore[misc]
            for name in self.stack.web
        }
        for name in self.servers:
            found[f"kill {name}"] = lambda name=name: self._lose_server(name)  # type: ignore[misc]
        found["restart nginx"] = lambda: self.stack.restart("nginx")
        return found

    def _lose_server(self, name: str) -> None:
        """SIGKILL; MySQL is durable and recovers, whoever it is that asks waits or is told 503."""
        self.servers[name].kill()
        time.sleep(2)
        self.servers[name].start()

    def minute(self, chance: random.Random) -> str:
        """One fault, healed as an orchestrator would; what it was."""
        began = time.monotonic()
        # Each once, in any order, before any comes again.
        self.left = self.left or chance.sample(sorted(self.faults()), len(self.faults()))
        name = self.left.pop()
        self.faults()[name]()
        while time.monotonic() - began < 60:
            time.sleep(1)
            self.stack.heal()
        self.samples.append(self.sample())
        return name

    def sample(self) -> dict[str, float]:
        figures: dict[str, float] = {n: size / 2**20 for n, size in self.stack.memory().items()}
        figures |= {n: memory(server.pid) / 2**20 for n, server in self.servers.items()}
        for name in ("redis", "redis-cache"):
            with redis.Redis.from_url(self.servers[name].url) as client:
                figures[f"{name} keys"] = client.dbsize()
        status = "SHOW GLOBAL STATUS LIKE 'Threads_connected'"
        figures["mysql connections"] = float(asked(self.servers["mysql"].url, status)[1])
        return figures

    def grown(self) -> list[str]:
        """What the last third has more of than the first, each by its median."""
        third = max(1, len(self.samples) // 3)
        found = []
        for name in self.samples[-1]:
            first, last = (
                _median([s[name] for s in part if name in s])
                for part in (self.samples[:third], self.samples[-third:])
            )
            print(f"  {name:<20} {first:8.0f} → {last:8.0f}")
            # Data grow with what was sold, and MySQL's memory up to its pool.
            if name != "mysql" and last > first * GROWTH + 20:
                found.append(f"{name}: {first:.0f} → {last:.0f}")
        return found


def asked(url: str, sql: str, *parameters: Any) -> Any:
    """The first row that a statement finds."""
    at = urlsplit(url)
    place = {"host": at.hostname, "port": at.port, "user": at.username, "password": at.password}
    session = MySQLdb.connect(**place, database=at.path[1:])
    try:
        cursor = session.cursor()
        cursor.execute(sql, parameters)
        return cursor.fetchone()
    finally:
        session.close()


def _median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2] if values else 0.0


def run(minutes: int, seed: int, folder: Path) -> list[str]:
    """What is wrong after it; empty where nothing is."""
    options = argparse.Namespace(folder=str(folder), port=0, small=False)
    with ExitStack() as end:
        stack, servers = up.up(options, end, **ENVIRONMENT)
        stack.manage("shell", "-c", STOCK)
        # Those of the demo's people.
        before = asked(servers["mysql"].url, COUNT, "paid")[0]
        load = Load(stack.url)
        load.start()
        end.callback(load.stop)
        rate = load.measure(10)
        print(f"{rate:.1f} purchases a second at full load; going on with {rate * SHARE:.1f}")
        soak, chance = Soak(stack, servers, load), random.Random(seed)
        for number in range(1, minutes + 1):
            fault = soak.minute(chance)
            said = dict(sorted(load.said.items()))
            print(f"minute {number}: {fault}; {len(load.orders)} bought, {said}", flush=True)
        load.stop()
        return [*load.errors, *finished(stack, servers["mysql"].url, load, before), *soak.grown()]


COUNT: Final = "SELECT COUNT(*) FROM shop_order WHERE status = %s"


def finished(stack: Stack, url: str, load: Load, before: int) -> list[str]:
    """Wait until each order is paid, or has expired unpaid; then the invariants."""

    def holds() -> bool:
        stack.heal()
        try:
            stack.manage("check_invariants")
            return bool(asked(url, COUNT, "pending_payment")[0] == 0)
        except RuntimeError:
            return False

    try:
        took = wait_until(holds, seconds=180)
    except TimeoutError:
        return ["the invariants do not hold, or orders stay unpaid, 180 s after the end"]
    paid = asked(url, COUNT, "paid")[0] - before
    if paid < len(load.orders):
        return [f"{len(load.orders)} payments were accepted, {paid} orders are paid"]
    print(f"all paid and every invariant {took:.0f} s after the end of the load")
    return []


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=int, default=60)
    parser.add_argument("--seed", type=int, default=None, help="of the faults; default: a new one")
    options = parser.parse_args(words)
    seed = options.seed if options.seed is not None else random.randrange(10**6)
    folder = Path(tempfile.mkdtemp(prefix="souk-soak-"))
    print(f"seed {seed}; logs in {folder}")
    try:
        wrong = run(options.minutes, seed, folder)
    except (UnavailableError, TimeoutError) as error:
        wrong = [str(error)]
    for line in wrong:
        print(f"WRONG  {line}", file=sys.stderr)
    if not wrong:
        shutil.rmtree(folder, ignore_errors=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

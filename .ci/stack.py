"""The production shape on this machine, as plain processes on the loopback: `make stack`.

    python .ci/stack.py [--port 8000] [--small] [--folder var/stack]

MySQL and two Redis of its own, nginx before two web replicas, the stream process, a worker for each
queue, beat, sandboxes of Stripe and of the exchange venue, the mock chain. `--small` is the shape
for 1 GB. Ctrl-C ends it; the data stay.

While it runs, `python .ci/stack.py roll` exchanges the web replicas one after the other.
"""

import argparse
import json
import os
import secrets
import signal
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from servers import start_mysql, start_redis
from shape.process import ROOT, Process, memory, wait_until
from shape.stack import PYTHON, Stack, answers
from throwaway.base import HOST, Server, UnavailableError, free_port

SMALL_MYSQL = (
    "--performance-schema=OFF",
    "--innodb-buffer-pool-size=64M",
    "--max-connections=60",
    "--table-open-cache=400",
)


def keys(folder: Path) -> dict[str, str]:
    """Secrets of this stack, made once and kept beside its data."""
    path = folder / "secrets.json"
    if not path.exists():
        names = ("SECRET_KEY", "JWT_SIGNING_KEY", "STRIPE_WEBHOOK_SECRET")
        path.touch(mode=0o600)
        path.write_text(json.dumps({name: secrets.token_urlsafe(60) for name in names}))
    return dict(json.loads(path.read_text()))


def sandboxes(folder: Path, stack: Stack, ports: dict[str, int], secret: str) -> None:
    """Stripe and the exchange venue, as further processes of the stack."""
    more = {
        "stripe": f"--webhook-url={stack.url}/webhooks/stripe/ --webhook-secret={secret} "
        f"--public-url=http://{HOST}:{ports['stripe']}",
        "venue": "",
    }
    for name, port in ports.items():
        at = f"--port={port} --db={folder / name}.sqlite3"
        words = f"-m payments.sandbox.{name} {at} {more[name]}"
        made = Process(f"{name}-sandbox", (PYTHON, *words.split()), stack.environment, folder)
        stack.processes[made.name] = made


def up(options: argparse.Namespace, end: ExitStack, **more: str) -> tuple[Stack, dict[str, Server]]:
    """Everything started, and its servers; `end` ends it in the order that loses nothing.

    `more` is environment of the shop's processes.
    """
    folder = Path(options.folder).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    own = keys(folder)
    mysql = start_mysql(folder / "mysql", SMALL_MYSQL if options.small else ())
    end.callback(mysql.stop)
    redis = start_redis(folder / "redis", appendonly=True)
    end.callback(redis.stop)
    cache = start_redis(folder / "redis-cache", evicts=True)
    end.callback(cache.stop)
    ports = {name: free_port() for name in ("stripe", "venue")}
    environment = {
        "DJANGO_SETTINGS_MODULE": "config.settings.production",
        "DATABASE_URL": mysql.url,
        "REDIS_URL": redis.url,
        "CACHE_REDIS_URL": cache.url,
        "STRIPE_SECRET_KEY": "",
        "STRIPE_SANDBOX_URL": f"http://{HOST}:{ports['stripe']}",
        "EXCHANGE_VENUE_URL": f"http://{HOST}:{ports['venue']}",
        "MOCK_CHAIN": "1",
        # The public one, of docker-compose.yml.
        "CHAIN_HOT_KEY": "7c" * 32,
        "MARKET_SIMULATED": "1",
        "DEMO_ALLOWED": "1",
        "MEDIA_ROOT": str(folder / "media"),
        **own,
        **more,
    }
    stack = Stack(folder, environment, port=options.port, small=options.small)
    stack.environment.setdefault("CHAIN_RPC_URL", f"{stack.url}/mockchain/")
    sandboxes(folder, stack, ports, own["STRIPE_WEBHOOK_SECRET"])
    end.callback(stack.stop)
    stack.collect_static()
    stack.manage("migrate", "--noinput")
    stack.start(name for name in stack.processes if "sandbox" in name)
    for port in ports.values():
        wait_until(lambda at=f"http://{HOST}:{port}/healthz": answers(at), seconds=60)  # type: ignore[misc]
    stack.manage("seed_demo")
    stack.start(name for name in stack.processes if "sandbox" not in name)
    stack.start_nginx()
    servers = {"mysql": mysql, "redis": redis, "redis-cache": cache}
    announce(stack, servers)
    return stack, servers


def announce(stack: Stack, servers: dict[str, Server]) -> None:
    wait_until(lambda: answers(f"{stack.url}/readyz"), seconds=60)
    found = {**{name: memory(server.pid) for name, server in servers.items()}, **stack.memory()}
    for name, size in found.items():
        print(f"  {name:<20} {size / 2**20:7.0f} MB")
    print(f"  {'together':<20} {sum(found.values()) / 2**20:7.0f} MB")
    print(f"The shop is at {stack.url}/ ; logs in {stack.folder}", flush=True)


def roll(options: argparse.Namespace) -> int:
    """Told to the stack that runs in this folder: it is the parent of the replicas."""
    pid = int((Path(options.folder) / "stack.pid").read_text())
    os.kill(pid, signal.SIGUSR1)
    print(f"process {pid} exchanges its replicas")
    return 0


def watch(stack: Stack) -> None:
    """Until told to end; whatever ends by itself is started again, as a restart policy does."""
    asked: list[int] = []
    signal.signal(signal.SIGUSR1, lambda number, _: asked.append(number))
    while True:
        time.sleep(1)
        for name in stack.heal():
            print(f"{name} had ended; started again", flush=True)
        if asked:
            asked.clear()
            for name in stack.web:
                print(f"{name}: drained and ended in {stack.roll(name):.1f} s", flush=True)


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("what", nargs="?", choices=("up", "roll"), default="up")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--folder", default=str(ROOT / "var" / "stack"))
    parser.add_argument("--small", action="store_true")
    options = parser.parse_args(words)
    return roll(options) if options.what == "roll" else _run(options)


def _run(options: argparse.Namespace) -> int:
    def told(_number: int, _frame: Any) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, told)
    pid = Path(options.folder) / "stack.pid"
    try:
        with ExitStack() as end:
            stack, _ = up(options, end)
            pid.write_text(str(os.getpid()))
            watch(stack)
    except KeyboardInterrupt:
        return 0
    except (UnavailableError, TimeoutError, RuntimeError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

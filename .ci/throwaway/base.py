"""What every way of getting a server has in common, and the two wire protocols' first words."""

import random
import re
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

HOST = "127.0.0.1"
DATABASE = "souk"
OLDEST_MYSQL = (8, 0, 16)
MYSQL_SETTINGS = (
    "--transaction-isolation=READ-COMMITTED",
    "--character-set-server=utf8mb4",
    "--collation-server=utf8mb4_0900_ai_ci",
    "--default-time-zone=+00:00",
    "--max-connections=1000",
    "--mysqlx=OFF",
)
# As in production: a fault test that loses commits here must lose them there too.
DURABLE = ("--innodb-flush-log-at-trx-commit=1", "--sync-binlog=1")
# A server that nobody kills waits for no disk: the tests take two thirds of the time.
QUICK = (
    "--innodb-flush-log-at-trx-commit=2",
    "--innodb-flush-method=nosync",
    "--innodb-doublewrite=OFF",
    "--skip-log-bin",
    "--performance-schema=OFF",
)


def mysql_settings(*, durable: bool, options: tuple[str, ...] = ()) -> tuple[str, ...]:
    """What mysqld is started with, in a container and outside; `options` come last, and win."""
    return (*MYSQL_SETTINGS, *(DURABLE if durable else QUICK), *options)


def redis_settings(*, appendonly: bool, evicts: bool) -> tuple[str, ...]:
    """The same of Redis: by default a full one refuses writes, and loses none."""
    limit = ("--maxmemory", "64mb") if evicts else ()
    policy = "allkeys-lru" if evicts else "noeviction"
    kept = ("--appendonly", "yes" if appendonly else "no", "--appendfsync", "always")
    return ("--save", "", *limit, "--maxmemory-policy", policy, *kept)


class UnavailableError(Exception):
    """This way of getting a server does not work here; the text says why."""


class Server(Protocol):
    """A running server of our own."""

    url: str
    version: str

    @property
    def pid(self) -> int: ...

    def kill(self) -> None:
        """End it as SIGKILL does; the data stay."""

    def restart(self) -> None:
        """Start it again on the same port and data, ending it cleanly first if it runs."""

    def stop(self) -> None:
        """End it for good; the directory is the caller's to delete."""


Start = Callable[[Path], Server]
Probe = Callable[[], str | None]


def say(text: str) -> None:
    """Tell the person at the terminal; stdout belongs to the command that is run."""
    print(f"servers: {text}", file=sys.stderr, flush=True)


def free_port() -> int:
    """A free loopback port below the range the kernel hands to outgoing connections.

    Inside that range a client that retries while its server is down can connect to itself.
    """
    while True:
        port = random.randrange(20000, 32000)
        with socket.socket() as candidate:
            try:
                candidate.bind((HOST, port))
            except OSError:
                continue
            return port


def mysql_version(host: str, port: int) -> str | None:
    """The version in the server's greeting, or None when nothing there speaks MySQL yet."""
    try:
        with socket.create_connection((host, port), timeout=2) as link:
            greeting = link.recv(256)
    except OSError:
        return None
    # Three bytes of length, one of sequence, the protocol number 10, then the version.
    if len(greeting) < 6 or greeting[4] != 10:
        return None
    return greeting[5:].split(b"\0", 1)[0].decode(errors="replace")


def redis_version(host: str, port: int, password: str = "") -> str | None:
    """The version from INFO, or None when nothing there speaks Redis yet."""
    words = (f"AUTH {password}\r\n" if password else "") + "INFO server\r\nQUIT\r\n"
    received = b""
    try:
        with socket.create_connection((host, port), timeout=2) as link:
            link.sendall(words.encode())
            while chunk := link.recv(4096):
                received += chunk
    except OSError:
        return None
    found = re.search(rb"redis_version:(\S+)", received)
    return found[1].decode() if found else None


def check_mysql(version: str) -> str:
    """The version itself; UnavailableError for MariaDB and for a MySQL that is too old."""
    if "mariadb" in version.lower():
        raise UnavailableError(f"{version} is MariaDB; a pass on it is no pass on MySQL")
    numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:3])
    if numbers < OLDEST_MYSQL:
        wanted = ".".join(map(str, OLDEST_MYSQL))
        raise UnavailableError(f"MySQL {version} is older than {wanted}")
    return version


def given_version(kind: str, url: str) -> str:
    """The version of a server somebody else runs, named by its URL."""
    parts = urlsplit(url)
    host = parts.hostname or HOST
    if kind == "mysql":
        found = mysql_version(host, parts.port or 3306)
    else:
        found = redis_version(host, parts.port or 6379, parts.password or "")
    if found is None:
        raise UnavailableError(f"nothing that speaks {kind} answers at {host}:{parts.port}")
    return check_mysql(found) if kind == "mysql" else found


def wait_for(probe: Probe, alive: Callable[[], bool], log: Callable[[], str]) -> str:
    """The version of a server once it answers; UnavailableError with its log if it never does."""
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline and alive():
        if version := probe():
            return version
        time.sleep(0.05)
    raise UnavailableError("the server did not start; the end of its log:\n" + log()[-2000:])

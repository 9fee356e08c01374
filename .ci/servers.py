"""Real MySQL and Redis for the tests, throw-away and on free loopback ports.

    python .ci/servers.py run -- COMMAND…   run COMMAND with TEST_DATABASE_URL, TEST_REDIS_URL,
                                            TEST_MYSQL_VERSION and TEST_REDIS_VERSION; its exit code
    python .ci/servers.py fetch             only make sure that both can be started later

In this order: the two URLs as given; mysqld and redis-server on the PATH (never MariaDB); a running
Docker engine; Debian's packages, unpacked into a cache folder. Fault tests import `start_mysql` and
`start_redis` for servers of their own that they may kill and restart.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from types import FrameType

sys.path.insert(0, str(Path(__file__).resolve().parent))

from shape import nginx
from throwaway import debian, docker, process
from throwaway.base import Server, Start, UnavailableError, given_version, say

__all__ = ["Server", "UnavailableError", "start_mysql", "start_redis"]

USAGE = "usage: python .ci/servers.py run -- COMMAND… | fetch"
# What is proved is proved on a server that is set up as production's.
PROVE = os.environ.get("PROVE") == "1"
REMEDY = {
    "MySQL": "TEST_DATABASE_URL=mysql://root:PASSWORD@127.0.0.1:3306/souk make test",
    "Redis": "sudo apt-get install -y redis-server",
}


def start_mysql(datadir: Path, options: Sequence[str] = ()) -> Server:
    """A MySQL of one's own, data in `datadir` (an own folder; kept data are used again).

    `options` are more words for mysqld. Raises UnavailableError where no real MySQL can be had.
    """
    return _mysql(durable=True, options=tuple(options))(datadir)


def start_redis(directory: Path, *, appendonly: bool = False, evicts: bool = False) -> Server:
    """A Redis of one's own; with `appendonly` no answered write is lost in a kill.

    With `evicts` it is a cache: when it is full, what was not asked for lately goes. Raises
    UnavailableError where none can be had.
    """
    return _redis(appendonly=appendonly, evicts=evicts)(directory)


def _mysql(*, durable: bool, options: tuple[str, ...] = ()) -> Start:
    ways = (process.mysql_on_path, docker.mysql_in_docker, debian.mysql_from_debian)
    return _first("MySQL", [partial(way, durable=durable, options=options) for way in ways])


def _redis(*, appendonly: bool = False, evicts: bool = False) -> Start:
    ways = (
        partial(process.redis_on_path, appendonly=appendonly, evicts=evicts),
        partial(docker.redis_in_docker, appendonly=appendonly, evicts=evicts),
        partial(debian.redis_from_debian, appendonly=appendonly, evicts=evicts),
    )
    return _first("Redis", ways)


def _first(name: str, ways: Sequence[Callable[[], Start]]) -> Start:
    """The first way that works; UnavailableError with every reason when none does."""
    reasons = []
    for way in ways:
        try:
            return way()
        except UnavailableError as error:
            reasons.append(f"  - {error}")
    raise UnavailableError(
        f"no real {name} to be had:\n" + "\n".join(reasons) + f"\nTo go on, run: {REMEDY[name]}\n"
        "or start a Docker engine and run this again"
    )


def _ensure(stack: ExitStack, kind: str, variable: str, find: Callable[[], Start]) -> None:
    """Export the URL and version of a server: the one given, or one that ends with `stack`."""
    url = os.environ.get(variable, "")
    if url:
        version, origin = given_version(kind, url), f"as {variable} names it"
    else:
        directory = Path(tempfile.mkdtemp(prefix=f"souk-{kind}-"))
        stack.callback(shutil.rmtree, directory, ignore_errors=True)
        server = find()(directory)
        stack.callback(server.stop)
        url, version, origin = server.url, server.version, f"throw-away, process {server.pid}"
    os.environ[variable] = url
    os.environ[f"TEST_{kind.upper()}_VERSION"] = version
    say(f"{kind} {version} ({origin})")


class _Command:
    """The command being run, and what happens to it when this process is told to end."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[bytes] | None = None
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._told_to_end)
        signal.signal(signal.SIGALRM, self._overdue)

    def run(self, argv: list[str]) -> int:
        try:
            self.process = subprocess.Popen(argv)
        except OSError as error:
            say(f"{argv[0]}: {error.strerror}")
            return 127
        code = self.process.wait()
        signal.alarm(0)
        return code if code >= 0 else 128 - code

    def _told_to_end(self, number: int, _frame: FrameType | None) -> None:
        if self.process is None:
            raise SystemExit(128 + number)
        # A terminal sends Ctrl-C to the command as well; twice would cut its clean-up short.
        if number != signal.SIGINT or not os.isatty(0):
            self.process.send_signal(number)
        signal.alarm(30)

    def _overdue(self, _number: int, _frame: FrameType | None) -> None:
        if self.process is not None:
            self.process.kill()


def run(argv: list[str]) -> int:
    """Run a command beside both servers; its exit code, or 128 + the signal that ended it."""
    command = _Command()
    with ExitStack() as stack:
        _ensure(stack, "redis", "TEST_REDIS_URL", _redis)
        _ensure(stack, "mysql", "TEST_DATABASE_URL", partial(_mysql, durable=PROVE))
        return command.run(argv)


def main(words: list[str]) -> int:
    try:
        if words[:2] == ["run", "--"] and len(words) > 2:
            return run(words[2:])
        if words == ["fetch"]:
            _redis()
            _mysql(durable=True)
            nginx.program()
            with tempfile.TemporaryDirectory() as folder:
                debian.mysql_client(Path(folder))
            return 0
    except UnavailableError as error:
        say(str(error))
        return 1
    print(USAGE, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Servers as processes of this machine, from binaries on the PATH or from an unpacked package."""

import os
import secrets
import shutil
import signal
import subprocess
import threading
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from throwaway.base import (
    DATABASE,
    HOST,
    Probe,
    Start,
    UnavailableError,
    check_mysql,
    free_port,
    mysql_settings,
    mysql_version,
    redis_settings,
    redis_version,
    wait_for,
)


@dataclass(frozen=True)
class Program:
    """How to call a server's binary: the words up to its name, and flags it always needs."""

    argv: tuple[str, ...]
    flags: tuple[str, ...] = ()


@dataclass
class ProcessServer:
    """A server that runs as a child process; see `throwaway.base.Server`."""

    argv: tuple[str, ...]
    url: str
    log: Path
    probe: Probe
    version: str = ""
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def pid(self) -> int:
        return self._running().pid

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*_end_with_parent(), *self.argv],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Ctrl-C is for the tests; they still need the server while they clean up.
                start_new_session=True,
            )
        try:
            self.version = wait_for(self.probe, self._alive, partial(_read, self.log))
        except BaseException:
            self.kill()
            raise

    def kill(self) -> None:
        process = self._running()
        process.kill()
        process.wait()

    def restart(self) -> None:
        self.stop()
        self.start()

    def stop(self) -> None:
        process = self._running()
        process.send_signal(signal.SIGTERM)
        # A stopped (SIGSTOP) server would never see the signal to end.
        process.send_signal(signal.SIGCONT)
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.kill()

    def _alive(self) -> bool:
        return self._running().poll() is None

    def _running(self) -> subprocess.Popen[bytes]:
        if self.process is None:
            raise RuntimeError("the server was never started")
        return self.process


def _read(log: Path) -> str:
    return log.read_text(errors="replace")


def _end_with_parent() -> tuple[str, ...]:
    """A prefix that ends the server with this process, even when that is killed.

    The kernel ties it to the starting thread, so that it fits only the main one.
    """
    setpriv = shutil.which("setpriv")
    if setpriv and threading.current_thread() is threading.main_thread():
        return (setpriv, "--pdeathsig", "TERM", "--")
    return ()


def _as_root() -> tuple[str, ...]:
    """MySQL refuses to run as root unless told to.

    The user mysql could not read a temporary or cache directory of root's; with file access and
    remote logins off and a random password there is nothing left for it to protect.
    """
    return ("--user=root",) if os.geteuid() == 0 else ()


def mysql_on_path(*, durable: bool, options: tuple[str, ...] = ()) -> Start:
    """Start with the machine's own mysqld."""
    found = shutil.which("mysqld")
    if not found:
        raise UnavailableError("no mysqld on the PATH")
    answer = subprocess.run([found, "--version"], capture_output=True, text=True, check=False)
    version = answer.stdout.partition("Ver ")[2].strip() or answer.stderr.strip() or "unknown"
    check_mysql(version)
    return partial(start_mysql, Program((found,)), durable=durable, options=options)


def redis_on_path(*, appendonly: bool = False, evicts: bool = False) -> Start:
    """Start with the machine's own redis-server."""
    found = shutil.which("redis-server")
    if not found:
        raise UnavailableError("no redis-server on the PATH")
    return partial(start_redis, Program((found,)), appendonly=appendonly, evicts=evicts)


def start_mysql(
    program: Program, directory: Path, *, durable: bool, options: tuple[str, ...] = ()
) -> ProcessServer:
    """A MySQL with its data in `directory`; data that are there already are kept."""
    directory.mkdir(parents=True, exist_ok=True)
    data, log, password = directory / "data", directory / "mysqld.log", secrets.token_hex(12)
    base = (*program.argv, "--no-defaults", *program.flags, *_as_root(), f"--datadir={data}")
    if not (data / "mysql.ibd").exists():
        shutil.rmtree(data, ignore_errors=True)
        _initialise((*base, "--initialize-insecure", "--default-time-zone=+00:00"), log)
    port = free_port()
    argv = (
        *base,
        f"--port={port}",
        f"--bind-address={HOST}",
        "--skip-name-resolve",
        # Relative to the data: an absolute path may be longer than a socket's name can be.
        "--socket=mysql.sock",
        f"--pid-file={directory / 'mysqld.pid'}",
        "--secure-file-priv=NULL",
        "--innodb-buffer-pool-size=256M",
        f"--init-file={_accounts(directory, password)}",
        *mysql_settings(durable=durable, options=options),
    )
    url = f"mysql://root:{password}@{HOST}:{port}/{DATABASE}"
    server = ProcessServer(argv, url, log, partial(mysql_version, HOST, port))
    server.start()
    return server


def _initialise(argv: tuple[str, ...], log: Path) -> None:
    with log.open("ab") as output:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    if done.returncode:
        raise UnavailableError("mysqld --initialize failed:\n" + _read(log)[-2000:])


def _accounts(directory: Path, password: str) -> Path:
    """Statements for every start: without name resolution, localhost does not match 127.0.0.1."""
    path = directory / "init.sql"
    path.touch(mode=0o600)
    path.write_text(
        f"CREATE DATABASE IF NOT EXISTS {DATABASE};\n"
        f"CREATE USER IF NOT EXISTS root@'{HOST}';\n"
        f"GRANT ALL ON *.* TO root@'{HOST}' WITH GRANT OPTION;\n"
        f"ALTER USER root@'{HOST}' IDENTIFIED BY '{password}';\n"
        f"ALTER USER root@localhost IDENTIFIED BY '{password}';\n"
    )
    return path


def start_redis(
    program: Program, directory: Path, *, appendonly: bool = False, evicts: bool = False
) -> ProcessServer:
    """A Redis in `directory`; with `appendonly` it keeps every write across a kill."""
    directory.mkdir(parents=True, exist_ok=True)
    port, log = free_port(), directory / "redis.log"
    argv = (
        *program.argv,
        *program.flags,
        *("--port", str(port), "--bind", HOST, "--dir", str(directory)),
        *redis_settings(appendonly=appendonly, evicts=evicts),
    )
    url = f"redis://{HOST}:{port}/0"
    server = ProcessServer(argv, url, log, partial(redis_version, HOST, port))
    server.start()
    return server

"""Servers as containers of a running Docker engine, published on the loopback address only."""

import secrets
import shutil
import subprocess
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from throwaway.base import (
    DATABASE,
    HOST,
    Probe,
    Start,
    UnavailableError,
    free_port,
    mysql_settings,
    mysql_version,
    redis_settings,
    redis_version,
    say,
    wait_for,
)

MYSQL_IMAGE = "mysql:8.4"
REDIS_IMAGE = "redis:7"


@dataclass
class ContainerServer:
    """A server that runs in a container; see `throwaway.base.Server`."""

    name: str
    url: str
    probe: Probe
    version: str = ""

    @property
    def pid(self) -> int:
        return int(_docker("inspect", "--format", "{{.State.Pid}}", self.name))

    def wait(self) -> None:
        try:
            self.version = wait_for(self.probe, self._alive, self._log)
        except BaseException:
            self.stop()
            raise

    def kill(self) -> None:
        _docker("kill", self.name)

    def restart(self) -> None:
        _docker("restart", "--time", "30", self.name)
        self.wait()

    def stop(self) -> None:
        _docker("rm", "--force", "--volumes", self.name)

    def _alive(self) -> bool:
        return _docker("inspect", "--format", "{{.State.Running}}", self.name) == "true"

    def _log(self) -> str:
        return _docker("logs", "--tail", "30", self.name)


def _docker(*words: str, timeout: float | None = None) -> str:
    try:
        done = subprocess.run(
            ["docker", *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
            # Ctrl-C must not break the removal of a container.
            start_new_session=True,
        )
    except subprocess.TimeoutExpired as error:
        raise UnavailableError(f"docker {words[0]} did not answer in {timeout:g} s") from error
    if done.returncode:
        raise UnavailableError(f"docker {words[0]}: {done.stdout.strip()[-300:]}")
    return done.stdout.strip()


def _ready(image: str) -> None:
    """The engine runs and has the image, pulled if need be; UnavailableError otherwise."""
    if not shutil.which("docker"):
        raise UnavailableError("no docker command")
    _docker("info", "--format", "{{.ServerVersion}}", timeout=10)
    try:
        _docker("image", "inspect", image)
    except UnavailableError:
        say(f"pulling {image}")
        _docker("pull", "--quiet", image, timeout=300)


def mysql_in_docker(*, durable: bool, options: tuple[str, ...] = ()) -> Start:
    """Start MySQL as a container; its data live in the container, not in the directory."""
    _ready(MYSQL_IMAGE)
    return partial(start_mysql, durable=durable, options=options)


def redis_in_docker(*, appendonly: bool = False, evicts: bool = False) -> Start:
    """Start Redis as a container; its data live in the container, not in the directory."""
    _ready(REDIS_IMAGE)
    return partial(start_redis, appendonly=appendonly, evicts=evicts)


def start_mysql(
    directory: Path, *, durable: bool, options: tuple[str, ...] = ()
) -> ContainerServer:
    port, password = free_port(), secrets.token_hex(12)
    settings = mysql_settings(durable=durable, options=options)
    environment = {"MYSQL_ROOT_PASSWORD": password, "MYSQL_DATABASE": DATABASE}
    name = _run(MYSQL_IMAGE, f"{HOST}:{port}:3306", environment, settings)
    url = f"mysql://root:{password}@{HOST}:{port}/{DATABASE}"
    server = ContainerServer(name, url, partial(mysql_version, HOST, port))
    server.wait()
    return server


def start_redis(
    directory: Path, *, appendonly: bool = False, evicts: bool = False
) -> ContainerServer:
    port = free_port()
    settings = redis_settings(appendonly=appendonly, evicts=evicts)
    name = _run(REDIS_IMAGE, f"{HOST}:{port}:6379", {}, settings)
    server = ContainerServer(name, f"redis://{HOST}:{port}/0", partial(redis_version, HOST, port))
    server.wait()
    return server


def _run(image: str, publish: str, environment: dict[str, str], words: tuple[str, ...]) -> str:
    name = f"souk-{image.partition(':')[0]}-{secrets.token_hex(4)}"
    variables = [f"--env={key}={value}" for key, value in environment.items()]
    _docker("run", "--detach", "--name", name, "--publish", publish, *variables, image, *words)
    return name

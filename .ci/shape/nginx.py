"""nginx on the loopback, with the same locations as in docker compose (docker/nginx)."""

import os
import platform
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from throwaway.base import HOST
from throwaway.debian import _loaded, unpacked

CONFIGURATION = Path(__file__).resolve().parents[2] / "docker" / "nginx"
KEPT = """keepalive 32;
    keepalive_time 20s;
    keepalive_timeout 10s;
    keepalive_requests 100000;"""


def program() -> tuple[str, ...]:
    """The words that run nginx: the machine's own, else Debian's, unpacked into the cache.

    Raises UnavailableError where there is none.
    """
    if found := shutil.which("nginx"):
        return (found,)
    suite = platform.freedesktop_os_release().get("VERSION_CODENAME", "stable")
    return _loaded(unpacked("nginx", suite), "usr/sbin/nginx")


@dataclass(frozen=True)
class Front:
    """nginx's folder; `web` names each replica and its port."""

    folder: Path
    port: int
    web: Mapping[str, int]
    stream: int

    def argv(self) -> tuple[str, ...]:
        """Writes the configuration; the words that run it in the foreground."""
        for name in ("body", "proxy", "fastcgi", "uwsgi", "scgi", "cache", "drain"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        for name in ("http.conf", "server.conf", "front.conf"):
            shutil.copy(CONFIGURATION / name, self.folder / name)
        (self.folder / "upstreams.conf").write_text(self._upstreams())
        (self.folder / "drain.conf").write_text(self._drain())
        (self.folder / "nginx.conf").write_text(self._main())
        words = ("-p", str(self.folder), "-e", "stderr", "-c", str(self.folder / "nginx.conf"))
        return (*program(), *words)

    def drain(self, name: str) -> None:
        """No new request goes to this replica."""
        (self.folder / "drain" / name).touch()

    def fill(self, name: str) -> None:
        (self.folder / "drain" / name).unlink(missing_ok=True)

    def _main(self) -> str:
        """As docker/nginx/nginx.conf, in a folder of this user's."""
        text = (CONFIGURATION / "nginx.conf").read_text()
        text = re.sub(r"/tmp/", f"{self.folder}/", text)
        text = text.replace("listen 8080", f"listen {HOST}:{self.port}")
        text = text.replace("/dev/stderr", "stderr").replace("/dev/stdout", "access.log")
        # nginx's own user could not enter a folder of root's, and nothing else is left to protect.
        user = "user root;\n" if os.geteuid() == 0 else ""
        return user + "daemon off;\n" + text

    def _upstreams(self) -> str:
        rest = {name: [n for n in self.web if n != name] for name in self.web}
        groups = [self._group("souk_web", list(self.web))]
        groups += [self._group(f"souk_web_without_{n}", rest[n]) for n in self.web if rest[n]]
        return "\n".join([*groups, f"upstream souk_stream {{ server {HOST}:{self.stream}; }}\n"])

    def _group(self, group: str, names: list[str]) -> str:
        last = "" if len(names) == 1 else " max_fails=1 fail_timeout=2s"
        servers = "\n    ".join(f"server {HOST}:{self.web[name]}{last};" for name in names)
        return f"upstream {group} {{\n    {servers}\n    {KEPT}\n}}"

    def _drain(self) -> str:
        if len(self.web) == 1:
            return "# There is one replica.\n"
        return "\n".join(
            f"if (-f {self.folder}/drain/{n}) {{ set $souk_web souk_web_without_{n}; }}"
            for n in self.web
        )

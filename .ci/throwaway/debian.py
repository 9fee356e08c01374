"""MySQL and Redis from Debian's packages, unpacked into a cache folder; nothing is installed.

Debian's stable suites have MariaDB only, so MySQL comes from unstable and runs with the C library
it was built for, out of the same folder.
"""

import os
import platform
import re
import shlex
import shutil
import subprocess
import tempfile
from functools import partial
from pathlib import Path

from throwaway import process
from throwaway.base import Start, UnavailableError, say
from throwaway.process import Program

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
# Perl, adduser and the like are for the packages' installation scripts, which never run here.
NEEDED = re.compile(r"(lib|zlib|mysql|redis|nginx)")
MIRROR = re.compile(r"https?://\S+/debian(?:/\d{8}T\d{6}Z)?/?$")


def mysql_from_debian(*, durable: bool, options: tuple[str, ...] = ()) -> Start:
    """Start mysqld of Debian's unstable suite."""
    root = unpacked("mysql-server-core", "sid")
    flags = (
        f"--basedir={root / 'usr'}",
        f"--lc-messages-dir={root / 'usr/share/mysql'}",
        f"--plugin-dir={root / 'usr/lib/mysql/plugin'}",
    )
    program = Program(_loaded(root, "usr/sbin/mysqld"), flags)
    return partial(process.start_mysql, program, durable=durable, options=options)


def redis_from_debian(*, appendonly: bool = False, evicts: bool = False) -> Start:
    """Start redis-server of this machine's own suite."""
    suite = platform.freedesktop_os_release().get("VERSION_CODENAME", "stable")
    program = Program(_loaded(unpacked("redis-server", suite), "usr/bin/redis-server"))
    return partial(process.start_redis, program, appendonly=appendonly, evicts=evicts)


def mysql_client(folder: Path) -> Path:
    """A folder with mysqldump and mysql of MySQL's own, for a PATH; `folder` may be it."""
    if is_mysqls_own(shutil.which("mysqldump")):
        return Path(str(shutil.which("mysqldump"))).parent
    root = unpacked("mysql-client-core", "sid")
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("mysqldump", "mysql"):
        words = " ".join(map(shlex.quote, _loaded(root, f"usr/bin/{name}")))
        (folder / name).write_text(f'#!/bin/sh\nexec {words} "$@"\n')
        (folder / name).chmod(0o755)
    return folder


def is_mysqls_own(program: str | None) -> bool:
    """Debian gives MariaDB's programs the same names."""
    if program is None:
        return False
    told = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    return told.returncode == 0 and "MariaDB" not in told.stdout


def unpacked(package: str, suite: str) -> Path:
    """The folder with the package and its libraries, fetched on first use."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "souk"
    root = cache / f"{package}-{suite}"
    if root.exists():
        return root
    missing = [tool for tool in ("apt-get", "dpkg") if not shutil.which(tool)]
    if missing:
        raise UnavailableError(f"no {' and '.join(missing)} here")
    uri = mirror()
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f"{package}-", dir=cache) as scratch:
        tree = _fetch(Path(scratch), package, suite, uri)
        try:
            tree.rename(root)
        except OSError:
            # Another run has put the same folder there in the meantime.
            if not root.exists():
                raise
    return root


def mirror() -> str:
    """The Debian mirror this machine already uses."""
    lines: list[str] = []
    for pattern in ("sources.list", "sources.list.d/*.list", "sources.list.d/*.sources"):
        for path in sorted(Path("/etc/apt").glob(pattern)):
            lines += path.read_text(errors="replace").splitlines()
    words = [word for line in lines if not line.startswith("#") for word in line.split()]
    for word in words:
        if MIRROR.match(word):
            return word
    raise UnavailableError("no Debian mirror in this machine's apt sources")


def _fetch(scratch: Path, package: str, suite: str, uri: str) -> Path:
    """Download and unpack into `scratch`; the folder with the tree."""
    say(f"fetching {package} of Debian {suite} into the cache, once; installing nothing")
    for folder in ("lists/partial", "cache/archives/partial", "debs", "tree"):
        (scratch / folder).mkdir(parents=True)
    signed = f"[signed-by={KEYRING}] " if KEYRING.exists() else ""
    (scratch / "sources.list").write_text(f"deb {signed}{uri} {suite} main\n")
    _apt(scratch, "update")
    plan = _apt(scratch, "-s", "--no-install-recommends", "install", package)
    names = re.findall(r"^Inst (\S+)", plan, re.MULTILINE)
    _apt(scratch, "download", *filter(NEEDED.match, names))
    for archive in sorted((scratch / "debs").glob("*.deb")):
        _checked(["dpkg", "-x", str(archive), str(scratch / "tree")], scratch)
    return scratch / "tree"


def _apt(scratch: Path, *words: str) -> str:
    """apt-get with one source and a state of its own: it sees and changes nothing of the system."""
    options = {
        "Acquire::Check-Valid-Until": "false",
        "Acquire::Languages": "none",
        "Acquire::Retries": "3",
        "Dir::Etc::sourcelist": f"{scratch}/sources.list",
        "Dir::Etc::sourceparts": "-",
        "Dir::Etc::preferences": "/dev/null",
        "Dir::Etc::preferencesparts": "-",
        "Dir::State::Lists": f"{scratch}/lists",
        "Dir::State::status": "/dev/null",
        "Dir::Cache": f"{scratch}/cache",
        "APT::Sandbox::User": "root",
    }
    flags = [f"-o{key}={value}" for key, value in options.items()]
    return _checked(["apt-get", "-qq", *flags, *words], scratch / "debs")


def _checked(argv: list[str], cwd: Path) -> str:
    done = subprocess.run(argv, cwd=cwd, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise UnavailableError(f"{argv[0]} {argv[-1]}: {done.stderr.strip()[-500:]}")
    return done.stdout


def _loaded(root: Path, binary: str) -> tuple[str, ...]:
    """The words that run a binary of the tree with the tree's own loader and libraries."""
    libraries = [*root.glob("usr/lib/*-linux-gnu*"), *root.glob("lib/*-linux-gnu*")]
    for folder in libraries:
        # Elsewhere the loader can be an absolute link, which leads to this machine's own.
        for loader in folder.glob("ld-linux*.so.*"):
            if loader.is_file() and not loader.is_symlink():
                path = ":".join(map(str, libraries))
                return (str(loader), "--library-path", path, str(root / binary))
    raise UnavailableError(f"no loader in {root}; delete that folder and try again")

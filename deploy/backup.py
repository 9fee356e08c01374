"""Dump and restore the shop's database: `make backup`, `make restore`.

    python3 deploy/backup.py dump [--url mysql://… | --compose] [--keep N] FOLDER
    python3 deploy/backup.py restore [--url mysql://… | --compose] FILE

A dump is one moment of the database (`--single-transaction`: nobody waits for it), compressed,
written under another name first and kept only if mysqldump has written its last line. It needs
mysqldump and mysql of MySQL itself, or a container of docker compose that has them. `restore` makes
the database anew from the dump: whatever is in it is gone, so it asks for the database's name.
"""

import argparse
import gzip
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).resolve().parents[1]
WHOLE = b"-- Dump completed"
OPTIONS = (
    "--single-transaction",
    "--quick",
    "--routines",
    "--triggers",
    "--hex-blob",
    "--no-tablespaces",
    "--set-gtid-purged=OFF",
)


class Place:
    """Where the database is, and how its own programs are run there."""

    def __init__(self, url: str, programs: str = "") -> None:
        parts = urlsplit(url)
        self.database = parts.path.strip("/") or "souk"
        self._folder = programs
        self._environment = {**os.environ, "MYSQL_PWD": unquote(parts.password or "")}
        self._words = [
            f"--host={parts.hostname or '127.0.0.1'}",
            f"--port={parts.port or 3306}",
            f"--user={unquote(parts.username or 'root')}",
        ]

    def run(self, program: str, words: Sequence[str], **streams: object) -> subprocess.Popen[bytes]:
        argv = [*_found(program, self._folder), *self._words, *words]
        return subprocess.Popen(argv, env=self._environment, **streams)  # type: ignore[call-overload,no-any-return]


class Compose(Place):
    """The MySQL of docker compose: its own programs, its own password."""

    def __init__(self) -> None:
        self.database = "souk"

    def run(self, program: str, words: Sequence[str], **streams: object) -> subprocess.Popen[bytes]:
        inside = 'MYSQL_PWD="$MYSQL_ROOT_PASSWORD" exec "$@"'
        argv = ["docker", "compose", "exec", "-T", "mysql", "sh", "-c", inside, "sh"]
        own = [program, "--user=root", *words]
        return subprocess.Popen([*argv, *own], cwd=ROOT, **streams)  # type: ignore[call-overload,no-any-return]


def _found(program: str, folder: str) -> list[str]:
    """MySQL's own; Debian calls MariaDB's by the same names."""
    path = shutil.which(program, path=folder or None)
    if path is None:
        raise SystemExit(f"no {program} on the PATH: install MySQL's client, or use --compose")
    told = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout
    if "MariaDB" in told:
        raise SystemExit(f"{path} is MariaDB's: it writes dumps that MySQL does not read")
    return [path]


def dump(place: Place, folder: Path, keep: int = 0) -> Path:
    """The file of a new dump; the oldest beyond `keep` are deleted."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    started = datetime.now(UTC)
    target = folder / f"souk-{started:%Y%m%dT%H%M%SZ}.sql.gz"
    with _written_whole(target) as part:
        _dump(place, part)
    for old in sorted(folder.glob("souk-*.sql.gz"))[:-keep] if keep else ():
        old.unlink()
    size = target.stat().st_size / 2**20
    print(f"{target}: {size:.1f} MB; the shop as it was at {started:%H:%M:%S} UTC")
    return target


@contextmanager
def _written_whole(target: Path) -> Iterator[Path]:
    """A name of its own until it is complete: half a dump must not look like one."""
    part = target.with_suffix(".part")
    part.touch(mode=0o600)
    try:
        yield part
        part.rename(target)
    finally:
        part.unlink(missing_ok=True)


def _dump(place: Place, part: Path) -> None:
    words = [*OPTIONS, place.database]
    last = b""
    with gzip.open(part, "wb", compresslevel=6) as file, tempfile.TemporaryFile() as said:
        program = place.run("mysqldump", words, stdout=subprocess.PIPE, stderr=said)
        assert program.stdout is not None
        while chunk := program.stdout.read(1 << 20):
            file.write(chunk)
            last = (last + chunk)[-200:]
        if program.wait() or WHOLE not in last:
            said.seek(0)
            raise SystemExit(f"mysqldump: {said.read().decode(errors='replace').strip()[-500:]}")


def restore(place: Place, source: Path) -> None:
    """The database as it was in the dump, and nothing else."""
    check(source)
    moment, name = taken_at(source), place.database
    _say(place, f"DROP DATABASE IF EXISTS `{name}`; CREATE DATABASE `{name}`")
    program = place.run("mysql", [name], stdin=subprocess.PIPE)
    assert program.stdin is not None
    with gzip.open(source) as file:
        shutil.copyfileobj(file, program.stdin, 1 << 20)
    program.stdin.close()
    if program.wait():
        raise SystemExit("mysql has refused the dump; the database is not whole")
    print(
        f"restored {source.name}: what happened after {moment:%Y-%m-%d %H:%M:%S} UTC is not in it"
    )
    print(f"loss window: {(datetime.now(UTC) - moment).total_seconds():.0f} s until now")


def check(source: Path) -> None:
    """Before anything is dropped: the file is there, unpacks, and has its last line."""
    last = b""
    with gzip.open(source) as file:
        while chunk := file.read(1 << 20):
            last = (last + chunk)[-200:]
    if WHOLE not in last:
        raise SystemExit(f"{source} is not whole; nothing was touched")


def taken_at(source: Path) -> datetime:
    """By its name; of a file that was renamed, by what is written inside it, or its own time."""
    stamp = source.name.removeprefix("souk-").partition(".")[0]
    with suppress(ValueError):
        return datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    with gzip.open(source) as file:
        file.read(1)
        return datetime.fromtimestamp(file.mtime or source.stat().st_mtime, UTC)


def _say(place: Place, statements: str) -> None:
    if place.run("mysql", ["--execute", statements]).wait():
        raise SystemExit("mysql has refused; nothing was restored")


def main(words: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("dump", "restore"))
    parser.add_argument("place", type=Path, help="the folder of dumps, or the file to restore")
    parser.add_argument("--url", default=os.environ.get("BACKUP_DATABASE_URL", ""))
    parser.add_argument("--compose", action="store_true", help="the MySQL of docker compose")
    parser.add_argument("--keep", type=int, default=0, help="how many dumps; 0 keeps all")
    parser.add_argument("--yes", metavar="DATABASE", help="the name of the database to be replaced")
    options = parser.parse_args(words)
    place = Compose() if options.compose or not options.url else Place(options.url)
    if options.what == "dump":
        dump(place, options.place, options.keep)
    elif options.yes != place.database:
        raise SystemExit(f"everything in it is replaced: say --yes {place.database}")
    else:
        restore(place, options.place)


if __name__ == "__main__":
    main(sys.argv[1:])

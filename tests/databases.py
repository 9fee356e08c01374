"""One test database for each process: the first one migrates its own, the others copy the tables.

Migrations take a process ten seconds and more, and are the same for all.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test.utils import setup_databases, teardown_databases

from tests.e2e import dumps


@pytest.fixture(scope="session")
def shared_folder(request: pytest.FixtureRequest, tmp_path_factory: Any) -> Path:
    """Of all processes of this run."""
    own = Path(tmp_path_factory.getbasetemp())
    return own.parent if hasattr(request.config, "workerinput") else own


@pytest.fixture(scope="session")
def migrated(shared_folder: Path) -> Path:
    """Where the statements are that make a migrated database; there once `django_db_setup` ran."""
    return shared_folder / "migrated.sql"


@pytest.fixture(scope="session")
def django_db_setup(
    django_test_environment: None,
    django_db_modify_db_settings: None,
    django_db_blocker: Any,
    migrated: Path,
) -> Iterator[None]:
    """In place of pytest-django's, which migrates in every process."""
    with django_db_blocker.unblock(), _alone(migrated):
        made = _made(migrated)
    yield
    with django_db_blocker.unblock():
        teardown_databases(made, verbosity=0)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _made(copy: Path) -> Any:
    if connection.vendor != "mysql":
        return setup_databases(verbosity=0, interactive=False)
    if copy.exists():
        dumps.restore(copy.read_text(), connection.settings_dict["TEST"]["NAME"])
    # What is there is kept: of the migrations none is left to do.
    made = setup_databases(verbosity=0, interactive=False, keepdb=copy.exists())
    if not copy.exists():
        copy.write_text(dumps.dump(str(connection.settings_dict["NAME"])))
    return made

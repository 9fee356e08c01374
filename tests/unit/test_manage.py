"""Commands of manage.py wait for MySQL without limit: a migration must not be cut off."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TIMEOUTS = {"MYSQL_READ_TIMEOUT": "7", "MYSQL_WRITE_TIMEOUT": "8"}


def timeouts(*command: str) -> dict[str, str]:
    """What the settings of such a process say, with seven and eight seconds in its environment."""
    told = subprocess.run(
        [sys.executable, *command, "diffsettings"],
        cwd=ROOT,
        env={**os.environ, **TIMEOUTS, "DJANGO_SETTINGS_MODULE": "config.settings.test"},
        capture_output=True,
        text=True,
        check=True,
    )
    return dict(re.findall(r"^(MYSQL_(?:READ|WRITE)_TIMEOUT) = (\S+)", told.stdout, re.MULTILINE))


def test_a_command_has_no_limit() -> None:
    assert timeouts("manage.py") == dict.fromkeys(TIMEOUTS, "0")


def test_control_without_manage_py_the_environments_hold() -> None:
    assert timeouts("-m", "django") == TIMEOUTS

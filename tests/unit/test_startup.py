"""What a process has loaded when it starts is out of the garbage collector's way."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from celery.signals import worker_process_init

from config import startup

FROZEN = "import gc; {}; print(gc.get_freeze_count())"


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOUK_STATE_DIR", str(tmp_path))


def frozen(statement: str) -> int:
    """Objects that a process of its own has frozen after this."""
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "config.settings.embedded"}
    argv = [sys.executable, "-W", "ignore", "-c", FROZEN.format(statement)]
    done = subprocess.run(argv, env=environment, check=True, capture_output=True, text=True)
    return int(done.stdout.split()[-1])


@pytest.mark.parametrize("module", ["config.wsgi", "config.asgi"])
def test_a_server_freezes_what_it_has_loaded(module: str) -> None:
    assert frozen(f"import {module}") > 50_000


def test_control_django_alone_freezes_nothing() -> None:
    assert frozen("import django; django.setup()") == 0


def test_each_process_of_a_worker_does_so_too() -> None:
    names = [receiver[0][0] for receiver in worker_process_init.receivers]
    assert "souk.startup.settle" in names
    assert startup.settle in worker_process_init._live_receivers(None)

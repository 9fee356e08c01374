"""The sample catalogue of the migrations."""

from importlib import import_module
from typing import Any

import pytest
from django.apps import apps as registry
from django.db.migrations.state import ProjectState

seed: Any = import_module("migrations_seed.migrations.0001_catalogue")
# Models as migrations see them: without the methods and managers of ours.
apps = ProjectState.from_apps(registry).apps


@pytest.fixture
def seeds(db: None) -> None:
    """Tests that flush tables take the migrations' rows with them: put them back."""
    seed.add(apps, None)

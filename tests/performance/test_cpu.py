"""No request costs much more processor time than it did, beside one that does nothing."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from tests.api.test_query_budgets import BUDGETS as QUERIES
from tests.performance.budgets import BUDGETS
from tests.performance.cpu import is_over

ROOT = Path(__file__).resolve().parents[2]
Ratios = dict[str, float]


@pytest.fixture(scope="module")
def ratios(django_db_setup: None, migrated: Path, django_db_blocker: Any) -> dict[str, Ratios]:
    with django_db_blocker.unblock():
        name = f"{connection.settings_dict['NAME']}_cpu"
    done = subprocess.run(
        [sys.executable, "-m", "tests.performance", str(migrated), name],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    found: dict[str, Ratios] = json.loads(done.stdout)
    return found


def over(found: Ratios) -> dict[str, tuple[float, float]]:
    """What is over its limit, beside its budget."""
    return {name: (r, BUDGETS[name]) for name, r in found.items() if is_over(name, r)}


def test_every_get_has_a_budget() -> None:
    assert {f"GET {route}" for route in QUERIES} == {n for n in BUDGETS if n.startswith("GET ")}


@pytest.mark.timeout(1800)
def test_no_request_costs_much_more_than_its_budget(ratios: dict[str, Ratios]) -> None:
    assert ratios["once"].keys() == BUDGETS.keys()
    assert over(ratios["once"]) == {}


@pytest.mark.timeout(1800)
def test_control_twice_the_work_is_over_the_budget(ratios: dict[str, Ratios]) -> None:
    assert over(ratios["twice"]).keys() == ratios["twice"].keys()

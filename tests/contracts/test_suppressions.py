"""Whoever silences bandit says which test, and why."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOREIGN = {".venv", ".cache", "tests", "var", "staticfiles"}
REASONED = re.compile(r"# nosec B\d{3}(, ?B\d{3})*  # \w")


def bare(lines: list[str]) -> list[str]:
    """The lines that silence without naming a test and a reason."""
    return [line for line in lines if "# nosec" in line and not REASONED.search(line)]


def test_every_nosec_names_its_test_and_its_reason() -> None:
    files = [p for p in ROOT.rglob("*.py") if p.relative_to(ROOT).parts[0] not in FOREIGN]
    lines = [line for path in files for line in path.read_text().splitlines()]
    assert any("# nosec" in line for line in lines)
    assert bare(lines) == []


@pytest.mark.parametrize("line", ["x  # nosec", "x  # nosec B105", "x  # nosec no secret"])
def test_control_a_bare_nosec_is_found(line: str) -> None:
    assert bare([line]) == [line]
    assert bare(["x  # nosec B105  # a name"]) == []

"""`.env.example` knows every variable that anything here reads, and no other."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# `_secret` and `_required` are the production settings' wrappers of env.str.
SETTINGS = re.compile(r"(?:\benv\.\w+|\b_secret|\b_required)\(\s*[\"']([A-Z][A-Z0-9_]*)[\"']")
COMPOSE = re.compile(r"(?<!\$)\$\{([A-Z][A-Z0-9_]*)")
MAKE = re.compile(r"^([A-Z][A-Z0-9_]*) \?=", re.MULTILINE)
LISTED = re.compile(r"^#?([A-Z][A-Z0-9_]*)=", re.MULTILINE)


def listed() -> set[str]:
    return set(LISTED.findall((ROOT / ".env.example").read_text()))


def read_by_settings() -> set[str]:
    files = (ROOT / "config" / "settings").glob("*.py")
    return {name for file in files for name in SETTINGS.findall(file.read_text())}


def read_by_commands() -> set[str]:
    compose = COMPOSE.findall((ROOT / "docker-compose.yml").read_text())
    return {*compose, *MAKE.findall((ROOT / "Makefile").read_text())}


def test_the_patterns_find_what_is_known_to_be_read() -> None:
    assert {"SECRET_KEY", "DATABASE_URL", "STRIPE_SECRET_KEY"} <= read_by_settings()
    assert {"MYSQL_ROOT_PASSWORD", "PORT"} <= read_by_commands()


def test_every_variable_of_the_settings_is_in_the_example() -> None:
    assert read_by_settings() - listed() == set()


def test_every_variable_of_compose_and_make_is_in_the_example() -> None:
    assert read_by_commands() - listed() == set()


def test_the_example_lists_nothing_that_nobody_reads() -> None:
    known = read_by_settings() | read_by_commands() | {"DJANGO_SETTINGS_MODULE"}
    assert listed() - known == set()


def test_an_untouched_copy_changes_nothing() -> None:
    lines = (ROOT / ".env.example").read_text().splitlines()
    assert [line for line in lines if line.strip() and not line.startswith("#")] == []

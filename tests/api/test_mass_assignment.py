"""Every field name of every model, put into every body: refused by name, and nothing changes."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from django.apps import apps
from rest_framework.serializers import Serializer

from common.api.serializers import MOST_UNKNOWN, StrictSerializer
from tests.api.access_table import TABLE, Operation
from tests.api.hostile import (
    UNSAFE,
    Path,
    Rows,
    Target,
    body_schema,
    fields,
    name,
    named,
    operations,
    put,
    refused,
    stored,
)
from tests.factories.orders import own_rollbacks
from tests.sizes import PROVE

__all__ = ["own_rollbacks"]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_rollbacks", "sandbox")]

WRITES = operations(*UNSAFE)
BODIES = [operation for operation in WRITES if operation[0] != "DELETE"]
# What clients of other shops send, beside what the models have.
GUESSED = {"paid", "role", "roles", "admin", "permissions", "unit_price", "total", "user", "owner"}
GUESSED |= {"is_admin", "is_paid", "balance", "discount", "id", "pk", "_state", "__class__"}


def model_fields() -> set[str]:
    """Names and columns of all fields of all models, the far sides of relations as well."""
    found = set()
    for model in apps.get_models():
        for field in model._meta.get_fields():
            found |= {field.name, getattr(field, "attname", field.name)}
    return found


@pytest.fixture(autouse=True)
def _no_throttle(settings: Any) -> None:
    settings.THROTTLE_FACTOR = 1000


def objects_of(operation: Operation) -> Iterator[tuple[Path, str, set[str]]]:
    """The body and each object inside it: path, as refusals name it, the names it has."""
    yield (), "", {*(body_schema(operation) or {}).get("properties", {})}
    for field in fields(operation):
        if "properties" in field.schema:
            yield field.path, f"{field.dotted}.", {*field.schema["properties"]}


def extended(target: Target, path: Path, names: set[str]) -> dict[str, Any]:
    """A valid body with the names in one of its objects, each worth something to a thief."""
    body = target.body()
    for each in sorted(names):
        put(target.operation, body, (*path, each), "1")
    return body


def taken(operation: Operation, *, at_once: int, share: int = 1) -> list[str]:
    """The names that are not refused by name, or whose refusal changes a row; one in `share`."""
    target, found = Target(operation), []
    for path, prefix, known in objects_of(operation):
        names = sorted((model_fields() | GUESSED) - known)[::share]
        groups = [{*names[n : n + at_once]} for n in range(0, len(names), at_once)]
        # Before the look at the rows: a body with a token comes with a session.
        bodies = [extended(target, path, chosen) for chosen in groups]
        before = stored()
        for chosen, body in zip(groups, bodies, strict=True):
            answer, expected = target.send(body), {prefix + each for each in chosen}
            if not (unknown(answer) and {*named(answer)} == expected):
                found += sorted(expected)
        found += ["a row"] if stored() != before else []
    return found


def unknown(answer: Any) -> bool:
    if answer.status_code != 400 or not refused(answer):
        return False
    return {error["code"] for error in answer.json()["errors"]} == {"unknown_field"}


def test_the_models_have_what_thieves_want() -> None:
    wanted = {"is_staff", "is_superuser", "is_active", "status", "price", "list_price", "captured"}
    assert (
        wanted | {"password", "user_id", "on_hand", "groups", "email_verified_at"} <= model_fields()
    )
    assert len(model_fields()) > 100


def test_no_write_is_missing_in_the_table() -> None:
    assert {*WRITES} - TABLE.keys() == set()
    assert len(BODIES) >= 18


@pytest.mark.parametrize("operation", BODIES, ids=name)
def test_all_names_at_once_are_refused_each_by_name(operation: Operation) -> None:
    assert taken(operation, at_once=MOST_UNKNOWN) == []


@pytest.mark.parametrize("operation", BODIES, ids=name)
def test_each_name_alone_is_refused(operation: Operation) -> None:
    assert taken(operation, at_once=1, share=1 if PROVE else 30) == []


@pytest.mark.parametrize("operation", BODIES, ids=name)
def test_after_the_refusals_the_valid_body_does_what_it_always_does(operation: Operation) -> None:
    target = Target(operation)
    assert target.send(extended(target, (), {"is_staff", "status"})).status_code == 400
    assert target.send(target.body()).status_code == TABLE[operation].status


def effect(target: Target, extra: dict[str, Any]) -> Counter[tuple[str, str, str]]:
    """What a call makes of the rows: table, column and new value, moments aside."""
    target.url = target.fresh_url()
    body, before = {**target.body(), **extra}, stored()
    assert target.send(body).status_code == target.row.status
    return Counter(changes(before, stored()))


def changes(before: Rows, after: Rows) -> Iterator[tuple[str, str, str]]:
    for key, row in after.items():
        if key not in before:
            yield key[0], "", "made"
            continue
        for column, value in row.items():
            if value != before[key][column]:
                moment = isinstance(value, datetime)
                yield key[0], column, "moment" if moment else str(value)
    yield from ((key[0], "", "gone") for key in before.keys() - after.keys())


@pytest.mark.parametrize("operation", [op for op in WRITES if op not in BODIES], ids=name)
def test_a_body_that_nobody_reads_changes_nothing(operation: Operation) -> None:
    target = Target(operation)
    plain = effect(target, {})
    assert plain
    assert effect(target, dict.fromkeys(model_fields() | GUESSED, "1")) == plain


def test_control_where_unknown_names_are_ignored_every_one_is_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        StrictSerializer,
        "to_internal_value",
        lambda self, data: Serializer.to_internal_value(self, data),
    )
    found = taken(("PATCH", "/api/v1/auth/me/"), at_once=MOST_UNKNOWN)
    assert {"is_staff", "is_superuser", "email", "password"} <= {*found}

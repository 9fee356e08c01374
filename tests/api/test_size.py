"""Too long, too deep, too many: refused within a second of the processor, and nothing stored."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any
from zlib import crc32

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from rest_framework import serializers
from rest_framework.parsers import JSONParser

from accounts.users.api import Me
from accounts.users.serializers import MeIn
from common.api import parsers
from common.api.serializers import StrictCharField, StrictSerializer, reader_of
from payments.checkout.serializers import LineIn, OrderIn
from shop.orders.serializers import OrderQuery
from tests.api.access_table import TABLE, Operation
from tests.api.hostile import (
    UNSAFE,
    Field,
    Target,
    described,
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

Swap = Callable[[type[StrictSerializer], str, Any], None]
MB = 1024 * 1024
LONG = "x" * 10_001
# An answer, whatever it refuses.
SHORT = 64 * 1024
DEEP = b"[" * 100_000 + b"]" * 100_000
# Python reads integers of up to 4,300 digits.
READABLE, UNREADABLE = int("9" * 4_000), b"9" * 10_000
ITEMS = {
    "object": {"product": "goods", "quantity": 1},
    "string": "2040-01-01T00:00:00Z",
    "integer": 1,
}
LINES = {"10,000 lines": 10_000, "6,000 lines, in 256 KiB": 6_000}
HEADERS = ("Authorization", "Idempotency-Key", "X-Request-ID", "Accept", "If-None-Match")
WRITES = operations(*UNSAFE)
JSON_WRITES = [operation for operation in WRITES if operation in TABLE and fields(operation)]
JSON_WRITES = [operation for operation in JSON_WRITES if not TABLE[operation].form]

Sent = tuple[str, Any, int, str]


@pytest.fixture(autouse=True)
def _no_throttle(settings: Any) -> None:
    settings.THROTTLE_FACTOR = 1000


def whole_bodies(target: Target) -> Iterator[Sent]:
    """What is wrong whatever the fields are: label, body, status, field."""
    yield "10 MB of JSON", b'{"name": "' + b"x" * (10 * MB) + b'"}', 413, ""
    yield "10 MB of spaces", b" " * (10 * MB) + b"{}", 413, ""
    # What is deleted is in the path: nobody reads a body.
    if not target.row.form and target.operation[0] != "DELETE":
        yield "100,000 levels", DEEP, 400, ""
        yield "100,000 levels of objects", b'{"a":' * 40_000 + b"1" + b"}" * 40_000, 400, ""
        yield "10,000 digits", b'{"a": ' + UNREADABLE + b"}", 400, ""
        yield "10,000 names", json.dumps({f"n{i}": 1 for i in range(10_000)}).encode(), 400, "n0"


def field_bodies(target: Target, field: Field) -> Iterator[Sent]:
    """What is wrong at one place of a body that is right otherwise."""

    def at(value: Any) -> bytes:
        filled = put(target.operation, target.body(), field.path, value)
        return json.dumps(filled).encode()

    marked = at("<here>").split(b'"<here>"')
    yield f"{field.dotted}: 10,000 digits", UNREADABLE.join(marked), 400, ""
    yield f"{field.dotted}: 50,000 levels", DEEP[50_000:150_000].join(marked), 400, ""
    yield f"{field.dotted}: 4,000 digits", at(READABLE), 400, field.dotted
    if "string" in field.kinds:
        yield f"{field.dotted}: 10,001 characters", at(LONG), 400, field.dotted
    if "array" in field.kinds:
        one = ITEMS[field.schema["items"].get("type", "object")]
        for label, count in LINES.items():
            body = at([one] * count)
            too_large = len(body) > parsers.MAX_BODY
            yield (
                f"{field.dotted}: {label}",
                body,
                413 if too_large else 400,
                ("" if too_large else field.dotted),
            )


def hostile(target: Target, *, all_fields: bool) -> Iterator[Sent]:
    yield from whole_bodies(target)
    if not target.row.form:
        for field in fields(target.operation):
            if all_fields or crc32(field.dotted.encode()) % 4 == 0:
                yield from field_bodies(target, field)


def wrong(operation: Operation, *, all_fields: bool = True) -> dict[str, Any]:
    """The bodies that get another answer than their refusal, or get it late, or leave rows."""
    target, found = Target(operation), {}
    bodies = list(hostile(target, all_fields=all_fields))
    before = stored()
    for label, body, status, field in bodies:
        started = time.thread_time()
        answer = target.send_raw(body)
        took = time.thread_time() - started
        right = refused(answer) and answer.status_code == status and len(answer.content) < SHORT
        if not right or took >= 1 or (field and field not in named(answer)):
            found[label] = (answer.status_code, round(took, 2))
    return found if stored() == before else {**found, "one of them": "left rows"}


@pytest.mark.parametrize("operation", WRITES, ids=name)
def test_a_body_beyond_all_bounds_is_refused_at_once_and_leaves_nothing(
    operation: Operation,
) -> None:
    assert wrong(operation, all_fields=PROVE) == {}


@pytest.mark.parametrize("operation", WRITES, ids=name)
def test_10_000_characters_of_a_header_or_a_query_are_harmless(operation: Operation) -> None:
    """The same answer as without them, or a refusal."""
    target = Target(operation)
    for header in HEADERS:
        answer = target.send(target.body(), headers={header: LONG})
        assert answer.status_code == TABLE[operation].status or refused(answer), header
    answer = target.send(target.body(), url=f"{target.url}?{LONG}={LONG}")
    assert answer.status_code == TABLE[operation].status or refused(answer)


def test_a_picture_of_10_mb_is_refused() -> None:
    target = Target(("POST", "/api/v1/admin/products/{slug}/image/"))
    before = stored()
    for size, status in ((10 * MB, 413), (21 * MB, 413)):
        file = SimpleUploadedFile("a.png", b"\x89PNG\r\n" + b"x" * size, "image/png")
        started = time.thread_time()
        answer = target.send({"image": file})
        assert (answer.status_code, refused(answer)) == (status, True)
        assert time.thread_time() - started < 1
    assert stored() == before


@pytest.mark.parametrize(("body", "status"), [(b" " * (10 * MB), 413), (DEEP, 400)])
def test_a_webhook_beyond_all_bounds_is_refused_unread(body: bytes, status: int) -> None:
    before, started = stored(), time.thread_time()
    answer = Client().post("/webhooks/stripe/", body, content_type="application/json")
    assert (answer.status_code, refused(answer)) == (status, True)
    assert time.thread_time() - started < 1
    assert stored() == before


# Lists


def parameters(operation: Operation) -> list[str]:
    found = described(operation).get("parameters", [])
    return [each["name"] for each in found if each["in"] == "query"]


READS = [operation for operation in operations("get") if parameters(operation)]


def taken(operation: Operation) -> dict[str, int]:
    """The query parameters whose 10,001 characters, or number of 10^9, are not refused by name."""
    target, found = Target(operation), {}
    sizes = {"page_size": ["1000000000", "9" * 10_000], "page": ["9" * 10_000]}
    for parameter in parameters(operation):
        for value in sizes.get(parameter, [LONG]):
            started = time.thread_time()
            answer = target.client.get(target.url, {parameter: value})
            late = time.thread_time() - started >= 1
            if late or not refused(answer) or parameter not in named(answer):
                found[f"{parameter}={value[:12]}"] = answer.status_code
    return found


@pytest.mark.parametrize("operation", READS, ids=name)
def test_a_parameter_beyond_all_bounds_is_refused_by_name(operation: Operation) -> None:
    assert taken(operation) == {}


def test_every_list_is_among_them() -> None:
    lists = [
        path for method, path in operations("get") if "page_size" in parameters((method, path))
    ]
    assert len(lists) >= 12
    assert {path for _, path in READS} >= set(lists)


@pytest.mark.parametrize("operation", operations("get"), ids=name)
def test_a_header_of_10_000_characters_hurts_no_read(operation: Operation) -> None:
    target = Target(operation)
    for header in HEADERS:
        answer = target.client.get(target.url, headers={header: LONG})
        assert answer.status_code == TABLE[operation].status or refused(answer)


# Controls: with a guard taken out, the same comparison finds what it kept away.

ME = ("PATCH", "/api/v1/auth/me/")
ORDER = ("POST", "/api/v1/orders/")


def test_control_without_the_limit_ten_megabytes_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("common.middleware.MAX_BODY", 100 * MB)
    monkeypatch.setattr(parsers, "MAX_BODY", 100 * MB)
    found = wrong(ME)
    assert found["10 MB of JSON"][0] == 400
    assert found["10 MB of spaces"][0] == 200


def test_control_djangos_parser_falls_over_deep_json(
    monkeypatch: pytest.MonkeyPatch, undocumented: list[str]
) -> None:
    monkeypatch.setattr(Me, "parser_classes", [JSONParser])
    assert wrong(ME)["100,000 levels"][0] == 500
    assert {*undocumented} == {"PATCH /api/v1/auth/me/: 400 parse_error"}
    undocumented.clear()


def test_control_every_unknown_name_is_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("common.api.serializers.MOST_UNKNOWN", 10**6)
    assert [*wrong(ME)] == ["10,000 names"]


@pytest.fixture
def swapped(monkeypatch: pytest.MonkeyPatch) -> Iterator[Swap]:
    """Another field for one that a reader of bodies has; readers are made once."""

    def swap(reader: type[StrictSerializer], name: str, field: Any) -> None:
        monkeypatch.setitem(reader._declared_fields, name, field)
        reader_of.cache_clear()

    yield swap
    reader_of.cache_clear()


def test_control_a_field_without_a_length_reaches_the_column(swapped: Swap) -> None:
    swapped(MeIn, "name", StrictCharField(required=False))
    assert wrong(ME)["name: 10,001 characters"][0] == 500


def test_control_a_list_without_a_length_is_worked_through(swapped: Swap) -> None:
    swapped(OrderIn, "lines", LineIn(many=True))
    assert wrong(ORDER)["lines: 6,000 lines, in 256 KiB"][0] == 409


def test_control_a_page_without_a_size_is_given(swapped: Swap) -> None:
    swapped(OrderQuery, "page_size", serializers.IntegerField(min_value=1, required=False))
    assert taken(("GET", "/api/v1/orders/")) == {"page_size=1000000000": 200}

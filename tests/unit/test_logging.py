"""What a log line may hold."""

import json
import logging
import sys
from typing import Any

import pytest

from common import context
from common.logs import console_formatter, json_formatter, scrub


def line(msg: str, *args: Any, **extra: Any) -> dict[str, Any]:
    record = logging.makeLogRecord({"name": "x", "msg": msg, "args": args, **extra})
    return json.loads(json_formatter().format(record))


def test_only_listed_keys_are_written() -> None:
    found = line("outbox.not_sent", task="a.b", password="hunter2-secret", status=3)
    assert {"event": "outbox.not_sent", "task": "a.b", "status": 3}.items() <= found.items()
    assert set(found) == {"timestamp", "level", "logger", "event", "task", "status"}


def test_arguments_of_messages_are_dropped() -> None:
    assert line("Not Found: %s", "/reset/very-secret")["event"] == "Not Found: %s"


def test_of_an_exception_the_type_and_the_place_remain() -> None:
    try:
        raise ValueError("Duplicate entry 'a@b.example'")
    except ValueError:
        found = line("failed", exc_info=sys.exc_info())
    assert found["exception"] == "ValueError"
    assert found["at"][-1].endswith("test_of_an_exception_the_type_and_the_place_remain")
    assert "Duplicate" not in json.dumps(found)


@pytest.mark.parametrize(
    "secret",
    [
        "4242424242424242",
        "4242 4242 4242 4242",
        "eyJhbGciOi.eyJzdWIi.c2lnbmF0dXJl",
        "sk_test_abc123",
        "whsec_abc",
        "pi_1_secret_2",
        "layla@example.com",
        "Bearer abc",
    ],
)
def test_what_looks_like_a_secret_is_removed_from_listed_values_too(secret: str) -> None:
    assert secret not in line("x", error=f"No such thing: {secret}!")["error"]
    assert "[removed]" in scrub(f"before {secret} after")


def test_a_value_stays_on_one_line() -> None:
    assert scrub('a\n{"level": "forged"}\r\nb') == 'a {"level": "forged"} b'


def test_lines_carry_the_id_of_the_request() -> None:
    token = context.request_id.set("the-request-id")
    try:
        assert line("x")["request_id"] == "the-request-id"
    finally:
        context.request_id.reset(token)


def test_a_person_can_read_it() -> None:
    record = logging.makeLogRecord({"name": "x", "msg": "task", "task": "a.b"})
    assert "task=a.b" in console_formatter().format(record)

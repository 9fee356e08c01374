"""Known and unknown addresses cost the same: as many hashes, and in `make prove` the same time.

The processor's time, as other tests may run beside; benchmarks/login_timing.py takes a stopwatch
to a running shop.
"""

import statistics
import time
from typing import Any

import pytest
from django.contrib.auth.hashers import Argon2PasswordHasher, MD5PasswordHasher
from rest_framework.test import APIClient

from accounts.users import backends
from tests.factories.users import UserFactory
from tests.sizes import sized

pytestmark = pytest.mark.django_db

TRIES = sized(15, 200)
APART_MS = 10.0
CALLS = {"token/": ({"password": "not-the-password"}, 401), "password/reset/": ({}, 204)}


@pytest.fixture(autouse=True)
def _no_throttle(settings: Any) -> None:
    settings.THROTTLE_FACTOR = 1000


@pytest.fixture
def argon2(settings: Any) -> None:
    """As in production: what is slow enough to be seen from outside."""
    name = f"{Argon2PasswordHasher.__module__}.{Argon2PasswordHasher.__qualname__}"
    settings.PASSWORD_HASHERS = [name]


def milliseconds(path: str, email: str) -> float:
    body, expected = CALLS[path]
    started = time.process_time()
    answer = APIClient().post(f"/api/v1/auth/{path}", {"email": email, **body}, format="json")
    took = (time.process_time() - started) * 1000
    assert answer.status_code == expected
    return took


def apart(path: str) -> float:
    """How far the medians of a known and of unknown addresses are from each other, in ms."""
    known = UserFactory().email
    # What is cached for the process is cached by the first call.
    milliseconds(path, known)
    pairs = [
        (milliseconds(path, known), milliseconds(path, f"nobody-{number}@example.org"))
        for number in range(TRIES)
    ]
    registered, others = (statistics.median(times) for times in zip(*pairs, strict=True))
    return abs(registered - others)


def hashes(path: str, email: str, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many times a call works out the hash of a password."""
    found: list[str] = []
    encode = MD5PasswordHasher.encode

    def counted(self: MD5PasswordHasher, password: str, salt: str, *more: Any) -> str:
        found.append(password)
        return encode(self, password, salt, *more)

    with monkeypatch.context() as watched:
        watched.setattr(MD5PasswordHasher, "encode", counted)
        milliseconds(path, email)
    return len(found)


@pytest.mark.parametrize(("path", "expected"), [("token/", 1), ("password/reset/", 0)])
def test_known_and_unknown_addresses_take_as_many_hashes(
    path: str, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for email in (UserFactory().email, "nobody@example.org"):
        assert hashes(path, email, monkeypatch) == expected


def test_control_without_the_spare_hash_an_unknown_address_takes_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(backends, "make_password", lambda password: "")
    assert hashes("token/", "nobody@example.org", monkeypatch) == 0


@pytest.mark.at_length("the count of hashes")
@pytest.mark.usefixtures("argon2")
@pytest.mark.proof(
    "Known and unknown addresses by the clock",
    size=f"medians of {TRIES} tries",
    control="test_control_without_the_spare_hash_the_medians_are_far_apart",
)
@pytest.mark.parametrize("path", CALLS)
def test_known_and_unknown_addresses_take_the_same_time(path: str, record_property: Any) -> None:
    found = apart(path)
    record_property("shown", f"{path} {found:.2f} ms apart (medians of {TRIES})")
    assert found < APART_MS


@pytest.mark.at_length("the count of hashes")
@pytest.mark.usefixtures("argon2")
def test_control_without_the_spare_hash_the_medians_are_far_apart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(backends, "make_password", lambda password: "")
    assert apart("token/") >= APART_MS

"""Tokens: what they say, and what is not one."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import jwt
import pytest
import time_machine
from django.conf import settings

from accounts.sessions import tokens
from accounts.sessions.errors import TokenExpired, TokenNotValid

FAMILY = uuid4()


def _payload(**changes: Any) -> dict[str, Any]:
    claims = jwt.decode(tokens.issue(FAMILY)[0].access, options={"verify_signature": False})
    return {k: v for k, v in {**claims, **changes}.items() if v is not None}


def _signed(payload: dict[str, Any], key: str | None = None, algorithm: str = "HS256") -> str:
    return jwt.encode(payload, key or settings.JWT_SIGNING_KEY, algorithm=algorithm)


def _part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def test_a_pair_reads_back_as_its_family() -> None:
    pair, jti = tokens.issue(FAMILY)
    assert tokens.read(pair.access, "access").family == FAMILY
    assert tokens.read(pair.refresh, "refresh").jti == jti


def test_a_token_says_nothing_personal() -> None:
    claims = _payload()
    assert set(claims) == {"token_type", "exp", "iat", "jti", "fam"}
    assert UUID(claims["fam"]) == FAMILY


def test_an_access_token_lives_fifteen_minutes_at_most() -> None:
    claims = _payload()
    assert 0 < claims["exp"] - claims["iat"] <= 15 * 60


def test_a_token_is_signed_with_a_key_that_is_not_the_secret_key() -> None:
    pair, _ = tokens.issue(FAMILY)
    assert jwt.decode(pair.access, settings.JWT_SIGNING_KEY, algorithms=["HS256"])
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(pair.access, settings.SECRET_KEY, algorithms=["HS256"])


def test_a_hand_made_token_with_all_claims_is_read() -> None:
    # The control of the refusals below: only what each one changes makes it fail.
    assert tokens.read(_signed(_payload()), "access").family == FAMILY


def _none_algorithm() -> str:
    return f"{_part({'alg': 'none', 'typ': 'JWT'})}.{_part(_payload())}."


def _changed() -> str:
    head, _, signature = _signed(_payload()).split(".")
    return f"{head}.{_part(_payload(fam=str(uuid4())))}.{signature}"


def _deep() -> str:
    nested = base64.urlsafe_b64encode(b"[" * 100_000).decode().rstrip("=")
    return f"{nested}.{nested}.x"


@pytest.mark.parametrize(
    "make",
    [
        _none_algorithm,
        _changed,
        _deep,
        lambda: _signed(_payload(), algorithm="HS512"),
        lambda: _signed(_payload(), key=settings.SECRET_KEY),
        lambda: _signed(_payload(exp=None)),
        lambda: _signed(_payload(jti=None)),
        lambda: _signed(_payload(fam=None)),
        lambda: _signed(_payload(fam="7")),
        lambda: _signed(_payload(fam=7)),
        lambda: _signed(_payload(token_type=None)),
        lambda: _signed(_payload(token_type="sliding")),
        lambda: _signed(_payload(token_type=["access"])),
        lambda: tokens.issue(FAMILY)[0].refresh,
        lambda: "",
        lambda: "a.b.c",
        lambda: "é.é.é",
        lambda: "\ud800",
    ],
)
def test_what_is_not_a_genuine_access_token_is_refused(make: Any) -> None:
    with pytest.raises(TokenNotValid):
        tokens.read(make(), "access")


def test_an_expired_token_says_so(settings: Any) -> None:
    settings.ACCESS_TOKEN_LIFETIME = timedelta(seconds=-1)
    with pytest.raises(TokenExpired):
        tokens.read(tokens.issue(FAMILY)[0].access, "access")


def test_an_access_token_is_no_refresh_token() -> None:
    with pytest.raises(TokenNotValid):
        tokens.read(tokens.issue(FAMILY)[0].access, "refresh")


def test_a_genuine_token_is_verified_once(monkeypatch: pytest.MonkeyPatch) -> None:
    access = tokens.issue(FAMILY)[0].access
    first = tokens.read(access, "access")
    monkeypatch.setattr(tokens, "_decode", lambda _: pytest.fail("verified again"))
    assert tokens.read(access, "access") == first
    with pytest.raises(TokenNotValid):
        tokens.read(access, "refresh")


def test_what_was_verified_ends_with_the_token_and_with_the_key(settings: Any) -> None:
    access = tokens.issue(FAMILY)[0].access
    tokens.read(access, "access")
    with (
        time_machine.travel(datetime.now(UTC) + settings.ACCESS_TOKEN_LIFETIME),
        pytest.raises(TokenExpired),
    ):
        tokens.read(access, "access")
    settings.JWT_SIGNING_KEY = "another-key-0123456789-abcdefghijklmnopqrstuvwxyz"
    with pytest.raises(TokenNotValid):
        tokens.read(access, "access")


def test_no_more_tokens_are_kept_than_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "MOST_GENUINE", 3)
    for _ in range(20):
        tokens.read(tokens.issue(FAMILY)[0].access, "access")
        assert len(tokens._GENUINE) <= 3

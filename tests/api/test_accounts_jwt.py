"""The access token, and each way in which it can be wrong or have ended."""

import base64
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import jwt
import pytest
from django.conf import settings as configured
from rest_framework.test import APIClient

from accounts.credentials import tokens as links
from accounts.sessions import services, tokens
from accounts.sessions.models import RefreshFamily
from accounts.sessions.rules import TokenPair
from accounts.users.models import User
from accounts.users.services import user_deactivate, user_save
from common import clock
from tests.factories.users import PASSWORD, UserFactory

pytestmark = pytest.mark.django_db

AUTH = "/api/v1/auth/"


def me(access: str) -> Any:
    return APIClient().get(AUTH + "me/", headers={"Authorization": f"Bearer {access}"})


def post(path: str, body: Any, access: str = "") -> int:
    headers = {"Authorization": f"Bearer {access}"} if access else {}
    answer = APIClient().post(AUTH + path, body, format="json", headers=headers)
    return int(answer.status_code)


def part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def claims(pair: TokenPair) -> dict[str, Any]:
    return dict(jwt.decode(pair.access, options={"verify_signature": False}))


def unsigned(pair: TokenPair) -> str:
    return f"{part({'alg': 'none', 'typ': 'JWT'})}.{part(claims(pair))}."


def changed(pair: TokenPair) -> str:
    other = services.session_start(user_id=UserFactory().pk)
    head, _, signature = pair.access.split(".")
    return f"{head}.{part(claims(other))}.{signature}"


def by_secret_key(pair: TokenPair) -> str:
    return jwt.encode(claims(pair), configured.SECRET_KEY, algorithm="HS256")


def expired(pair: TokenPair) -> str:
    late = {**claims(pair), "exp": claims(pair)["iat"] - 1}
    return jwt.encode(late, configured.JWT_SIGNING_KEY, algorithm="HS256")


def refresh_as_access(pair: TokenPair) -> str:
    return pair.refresh


WRONG = [unsigned, changed, by_secret_key, expired, refresh_as_access]


@pytest.mark.parametrize("make", WRONG, ids=lambda make: make.__name__)
def test_a_token_that_is_wrong_opens_nothing(make: Callable[[TokenPair], str]) -> None:
    pair = services.session_start(user_id=UserFactory().pk)
    answer = me(make(pair))
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == 'Bearer realm="api"'
    assert me(pair.access).status_code == 200


def refresh_of_another(pair: TokenPair) -> str:
    """The body says another family; the signature is this one's."""
    other = services.session_start(user_id=UserFactory().pk)
    head, _, signature = pair.refresh.split(".")
    return (
        f"{head}.{part(jwt.decode(other.refresh, options={'verify_signature': False}))}.{signature}"
    )


def unsigned_refresh(pair: TokenPair) -> str:
    body = jwt.decode(pair.refresh, options={"verify_signature": False})
    return f"{part({'alg': 'none', 'typ': 'JWT'})}.{part(body)}."


def expired_refresh(pair: TokenPair) -> str:
    body = jwt.decode(pair.refresh, options={"verify_signature": False})
    late = {**body, "exp": body["iat"] - 1}
    return jwt.encode(late, configured.JWT_SIGNING_KEY, algorithm="HS256")


def access_as_refresh(pair: TokenPair) -> str:
    return pair.access


WRONG_REFRESH = [refresh_of_another, unsigned_refresh, expired_refresh, access_as_refresh]


@pytest.mark.parametrize("path", ["token/refresh/", "logout/"])
@pytest.mark.parametrize("make", WRONG_REFRESH, ids=lambda make: make.__name__)
def test_a_refresh_token_that_is_wrong_renews_and_ends_nothing(
    make: Callable[[TokenPair], str], path: str
) -> None:
    pair = services.session_start(user_id=UserFactory().pk)
    assert post(path, {"refresh": make(pair)}) == 401
    assert not RefreshFamily.objects.exclude(revoked_at=None).exists()
    assert post("token/refresh/", {"refresh": pair.refresh}) == 200


def unverified(monkeypatch: pytest.MonkeyPatch) -> None:
    def decode(encoded: str) -> dict[str, Any]:
        return dict(jwt.decode(encoded, options={"verify_signature": False}))

    monkeypatch.setattr(tokens, "_decode", decode)


@pytest.mark.parametrize("make", [unsigned, changed, by_secret_key, expired])
def test_control_without_the_signature_every_forged_token_opens(
    make: Callable[[TokenPair], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    unverified(monkeypatch)
    assert me(make(services.session_start(user_id=UserFactory().pk))).status_code == 200


@pytest.mark.parametrize("make", [refresh_of_another, unsigned_refresh, expired_refresh])
def test_control_without_the_signature_every_forged_refresh_token_renews(
    make: Callable[[TokenPair], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    unverified(monkeypatch)
    with pytest.raises(AssertionError):
        test_a_refresh_token_that_is_wrong_renews_and_ends_nothing(make, "token/refresh/")


def test_control_without_the_type_a_refresh_token_opens(monkeypatch: pytest.MonkeyPatch) -> None:
    read = tokens.read
    every = (tokens.ACCESS, tokens.REFRESH)
    monkeypatch.setattr(tokens, "read", lambda encoded, *_: read(encoded, *every))
    pair = services.session_start(user_id=UserFactory().pk)
    assert me(refresh_as_access(pair)).status_code == 200


def sign_out(user: User, pair: TokenPair) -> None:
    assert post("logout/", {"refresh": pair.refresh}) == 204


def change_password(user: User, pair: TokenPair) -> None:
    body = {"old_password": PASSWORD, "new_password": "quite-another-horse-7"}
    assert post("password/change/", body, pair.access) == 204


def deactivate(user: User, pair: TokenPair) -> None:
    user_deactivate(user_id=user.pk)


def reset_password(user: User, pair: TokenPair) -> None:
    now, hour = clock.now(), timedelta(hours=1)
    link = links.make(links.RESET, user, now=now, lifetime=hour)
    body = {"token": link, "new_password": "quite-another-horse-7"}
    assert post("password/reset/confirm/", body) == 204


def deactivate_in_the_admin(user: User, pair: TokenPair) -> None:
    user.is_active = False
    user_save(user=user, changed=["is_active"])


def reuse(user: User, pair: TokenPair) -> None:
    assert post("token/refresh/", {"refresh": pair.refresh}) == 200
    assert post("token/refresh/", {"refresh": pair.refresh}) == 401


ENDS = [sign_out, change_password, reset_password, deactivate, deactivate_in_the_admin, reuse]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.__name__)
def test_what_ends_a_session_ends_its_access_token_at_once_and_without_a_query(
    end: Callable[[User, TokenPair], None], django_assert_num_queries: Callable[[int], Any]
) -> None:
    joe = UserFactory()
    pair = services.session_start(user_id=joe.pk)
    assert me(pair.access).status_code == 200
    end(joe, pair)
    with django_assert_num_queries(0):
        answer = me(pair.access)
    assert (answer.status_code, answer.json()["code"]) == (401, "token_revoked")
    assert post("token/refresh/", {"refresh": pair.refresh}) == 401
    assert not RefreshFamily.objects.filter(user=joe, revoked_at=None).exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.__name__)
def test_control_where_nothing_is_revoked_the_token_goes_on(
    end: Callable[[User, TokenPair], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "_revoke", lambda families, reason: 0)
    joe = UserFactory()
    pair = services.session_start(user_id=joe.pk)
    assert me(pair.access).status_code == 200
    end(joe, pair)
    assert me(pair.access).status_code == 200


def test_an_access_token_lives_a_quarter_of_an_hour_at_most() -> None:
    assert timedelta(minutes=15) >= configured.ACCESS_TOKEN_LIFETIME

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

from accounts.sessions import services
from accounts.sessions.models import RefreshFamily
from accounts.sessions.rules import TokenPair
from accounts.users.models import User
from accounts.users.services import user_deactivate
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


def sign_out(user: User, pair: TokenPair) -> None:
    assert post("logout/", {"refresh": pair.refresh}) == 204


def change_password(user: User, pair: TokenPair) -> None:
    body = {"old_password": PASSWORD, "new_password": "quite-another-horse-7"}
    assert post("password/change/", body, pair.access) == 204


def deactivate(user: User, pair: TokenPair) -> None:
    user_deactivate(user_id=user.pk)


def reuse(user: User, pair: TokenPair) -> None:
    assert post("token/refresh/", {"refresh": pair.refresh}) == 200
    assert post("token/refresh/", {"refresh": pair.refresh}) == 401


ENDS = [sign_out, change_password, deactivate, reuse]


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

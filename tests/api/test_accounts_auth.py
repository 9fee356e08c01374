"""`/api/v1/auth/` as a client sees it."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import jwt
import pytest
from rest_framework.test import APIClient

from accounts.sessions import tokens
from accounts.sessions.models import RefreshFamily
from accounts.users.models import User
from accounts.users.services import user_deactivate
from tests.factories.users import PASSWORD, StaffFactory, UserFactory, client_for

pytestmark = pytest.mark.django_db

AUTH = "/api/v1/auth/"
NEW = {"email": "joe@x.org", "password": PASSWORD}


def post(path: str, body: Any, **headers: str) -> Any:
    return APIClient().post(AUTH + path, body, format="json", **headers)


def me(access: str) -> Any:
    return APIClient().get(AUTH + "me/", HTTP_AUTHORIZATION=f"Bearer {access}")


def sign_in(user: User) -> dict[str, str]:
    return dict(post("token/", {"email": user.email, "password": PASSWORD}).json())


def test_registering_gives_a_user_and_a_working_session() -> None:
    answer = post("register/", {**NEW, "email": "Joe@X.org", "username": "Joe", "name": "Joe D"})
    assert answer.status_code == 201
    body = answer.json()
    uid = str(User.objects.get().uid)
    shown = {"id": uid, "email": "joe@x.org", "username": "Joe", "name": "Joe D"}
    shown |= {"is_staff": False, "email_verified": False}
    assert set(body) == {"user", "access", "refresh"}
    assert body["user"] == shown
    assert me(body["access"]).json() == shown
    assert post("token/refresh/", {"refresh": body["refresh"]}).status_code == 200


def test_the_password_never_comes_back() -> None:
    assert PASSWORD not in post("register/", NEW).content.decode()


def test_a_taken_address_and_a_taken_username_name_their_field() -> None:
    UserFactory(email="joe@x.org", username="Joe")
    for body, field in (
        ({**NEW, "email": "JOE@x.org"}, "email"),
        ({**NEW, "email": "other@x.org", "username": "JOE"}, "username"),
    ):
        answer = post("register/", body)
        assert (answer.status_code, answer.json()["code"]) == (400, f"{field}_taken")
        assert [item["field"] for item in answer.json()["errors"]] == [field]


def test_a_weak_password_is_refused_by_name() -> None:
    answer = post("register/", {**NEW, "password": "12345"})
    assert (answer.status_code, answer.json()["code"]) == (400, "weak_password")
    assert {item["field"] for item in answer.json()["errors"]} == {"password"}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"email": "nobody"}, "email"),
        ({"email": 7}, "email"),
        ({"email": None}, "email"),
        ({"email": "a" * 250 + "@x.org"}, "email"),
        ({"email": "jo\u0000e@x.org"}, "email"),
        ({"email": "jo\u0001e@x.org"}, "email"),
        ({"password": 12345678}, "password"),
        ({"password": "p" * 129}, "password"),
        ({"username": "joe@x.org"}, "username"),
        ({"username": ""}, "username"),
        ({"name": "n" * 151}, "name"),
        ({"is_staff": True}, "is_staff"),
        ({"is_superuser": True}, "is_superuser"),
    ],
)
def test_a_bad_field_is_refused_by_name(changes: dict[str, Any], field: str) -> None:
    answer = post("register/", {**NEW, **changes})
    assert answer.status_code == 400
    assert [item["field"] for item in answer.json()["errors"]] == [field]
    assert not User.objects.exists()


def test_signing_in_takes_an_address_or_a_username() -> None:
    joe = UserFactory(username="Joe")
    for who in ({"email": joe.email.upper()}, {"username": "JOE"}):
        answer = post("token/", {**who, "password": PASSWORD})
        assert answer.status_code == 200
        assert set(answer.json()) == {"access", "refresh"}


def test_wrong_unknown_and_inactive_get_the_same_answer() -> None:
    joe, gone = UserFactory(), UserFactory(is_active=False)
    answers = [
        post("token/", {"email": email, "password": password})
        for email, password in (
            (joe.email, "wrong"),
            ("no@x.org", PASSWORD),
            ("not an address", PASSWORD),
            (gone.email, PASSWORD),
        )
    ]
    assert {a.status_code for a in answers} == {401}
    assert len({a.content for a in answers}) == 1
    assert answers[0].json()["code"] == "invalid_credentials"
    assert answers[0]["WWW-Authenticate"] == 'Bearer realm="api"'


@pytest.mark.parametrize("who", [{}, {"email": "a@x.org", "username": "a"}])
def test_signing_in_takes_exactly_one_identifier(who: dict[str, str]) -> None:
    assert post("token/", {**who, "password": PASSWORD}).status_code == 400


def test_a_refresh_token_works_once_and_its_reuse_ends_the_session() -> None:
    first = sign_in(UserFactory())
    second = post("token/refresh/", {"refresh": first["refresh"]}).json()
    assert me(second["access"]).status_code == 200
    again = post("token/refresh/", {"refresh": first["refresh"]})
    assert (again.status_code, again.json()["code"]) == (401, "token_reused")
    assert me(second["access"]).status_code == 401
    last = post("token/refresh/", {"refresh": second["refresh"]})
    assert (last.status_code, last.json()["code"]) == (401, "token_revoked")


def test_signing_out_ends_the_access_token_at_once_and_may_be_repeated() -> None:
    pair = sign_in(UserFactory())
    assert me(pair["access"]).status_code == 200
    for _ in range(2):
        answer = post("logout/", {"refresh": pair["refresh"]})
        assert (answer.status_code, answer.content) == (204, b"")
    assert me(pair["access"]).json()["code"] == "token_revoked"
    assert post("token/refresh/", {"refresh": pair["refresh"]}).status_code == 401


def test_signing_out_works_with_an_expired_access_token(settings: Any) -> None:
    settings.ACCESS_TOKEN_LIFETIME = timedelta(seconds=-1)
    pair = sign_in(UserFactory())
    assert me(pair["access"]).json()["code"] == "token_expired"
    answer = post(
        "logout/", {"refresh": pair["refresh"]}, HTTP_AUTHORIZATION=f"Bearer {pair['access']}"
    )
    assert answer.status_code == 204


def test_deactivation_ends_the_access_token_at_once() -> None:
    joe = UserFactory()
    pair = sign_in(joe)
    assert me(pair["access"]).status_code == 200
    user_deactivate(user_id=joe.pk)
    assert me(pair["access"]).status_code == 401
    assert post("token/refresh/", {"refresh": pair["refresh"]}).status_code == 401


def test_verify_takes_living_tokens_of_both_kinds_and_no_others() -> None:
    pair = sign_in(UserFactory())
    for token in pair.values():
        answer = post("token/verify/", {"token": token})
        assert (answer.status_code, answer.json()) == (200, {})
    post("logout/", {"refresh": pair["refresh"]})
    for token in (*pair.values(), "garbage"):
        assert post("token/verify/", {"token": token}).status_code == 401


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ("Bearer garbage", "token_not_valid"),
        ("Bearer", "token_not_valid"),
        ("Bearer a b", "token_not_valid"),
        ("Bearer \xe9", "token_not_valid"),
        ("Basic am9lOmpvZQ==", "not_authenticated"),
        ("", "not_authenticated"),
    ],
)
def test_what_is_no_access_token_opens_nothing(header: str, code: str) -> None:
    answer = APIClient().get(AUTH + "me/", HTTP_AUTHORIZATION=header)
    assert (answer.status_code, answer.json()["code"]) == (401, code)
    assert answer["WWW-Authenticate"] == 'Bearer realm="api"'


def test_a_refresh_token_opens_nothing() -> None:
    assert me(sign_in(UserFactory())["refresh"]).json()["code"] == "token_not_valid"


def test_a_bad_token_in_the_header_hinders_no_sign_in() -> None:
    body = {"email": UserFactory().email, "password": PASSWORD}
    assert post("token/", body, HTTP_AUTHORIZATION="Bearer garbage").status_code == 200


def test_everyone_sees_and_changes_only_themselves() -> None:
    joe, ann, boss = UserFactory(), UserFactory(), StaffFactory()
    for user in (joe, ann, boss):
        assert client_for(user).get(AUTH + "me/").json()["id"] == str(user.uid)
    changed = client_for(joe).patch(AUTH + "me/", {"name": "New", "username": "New"}, format="json")
    assert (changed.status_code, changed.json()["name"]) == (200, "New")
    ann.refresh_from_db()
    assert ann.name != "New"


@pytest.mark.parametrize("field", ["is_staff", "is_superuser", "is_active", "email", "id"])
def test_a_user_changes_neither_role_nor_address(field: str) -> None:
    joe = UserFactory()
    answer = client_for(joe).patch(AUTH + "me/", {field: True}, format="json")
    assert (answer.status_code, answer.json()["code"]) == (400, "unknown_field")


def test_a_taken_username_is_refused_on_change() -> None:
    UserFactory(username="Ann")
    answer = client_for(UserFactory()).patch(AUTH + "me/", {"username": "ann"}, format="json")
    assert (answer.status_code, answer.json()["code"]) == (400, "username_taken")


def test_an_empty_change_changes_nothing() -> None:
    answer = client_for(UserFactory(name="Joe")).patch(AUTH + "me/", {}, format="json")
    assert (answer.status_code, answer.json()["name"]) == (200, "Joe")


def test_me_cannot_be_put() -> None:
    assert client_for(UserFactory()).put(AUTH + "me/", {}, format="json").status_code == 405


def test_a_signed_in_request_costs_its_own_query_only(
    django_assert_num_queries: Callable[[int], Any],
) -> None:
    client = client_for(UserFactory())
    client.get(AUTH + "me/")
    with django_assert_num_queries(1):
        client.get(AUTH + "me/")


def test_a_token_names_its_family_and_not_the_user() -> None:
    joe = UserFactory()
    family = RefreshFamily.objects.filter(user=joe)
    for kind, token in sign_in(joe).items():
        assert tokens.read(token, kind).family == family.get().uid
        claims = jwt.decode(token, options={"verify_signature": False})
        assert set(claims) == {"token_type", "exp", "iat", "jti", "fam"}

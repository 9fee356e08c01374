"""Registering, finding and changing users."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth import authenticate
from django.contrib.auth.hashers import MD5PasswordHasher
from django.db import IntegrityError, transaction

from accounts.sessions import selectors as sessions
from accounts.sessions import tokens
from accounts.sessions.services import session_start
from accounts.users import backends, selectors, services
from accounts.users.errors import EmailTaken, UsernameTaken, WeakPassword
from accounts.users.models import User
from common.errors import NotFound
from tests.factories.users import PASSWORD, StaffFactory, UserFactory

pytestmark = pytest.mark.django_db


def register(**changes: Any) -> User:
    return services.user_register(**{"email": "joe@x.org", "password": PASSWORD, **changes})


def test_a_user_is_stored_with_a_normalised_address_and_a_hash() -> None:
    user = register(email=" Joe@X.org", username="Joe")
    user.refresh_from_db()
    assert (user.email, user.username) == ("joe@x.org", "Joe")
    assert user.check_password(PASSWORD)
    assert PASSWORD not in user.password


def test_a_new_user_is_nobody_special() -> None:
    user = register()
    assert (user.is_active, user.is_staff, user.is_superuser) == (True, False, False)


def test_a_made_up_username_tells_nothing_of_the_address() -> None:
    assert "joe" not in register().username
    assert register(email="ann@x.org").username != User.objects.get(email="joe@x.org").username


@pytest.mark.parametrize("again", ["joe@x.org", "JOE@x.org", " joe@X.ORG", "ｊoe@x.org"])
def test_an_address_is_taken_however_it_is_written(again: str) -> None:
    register()
    with pytest.raises(EmailTaken) as refused:
        register(email=again)
    assert refused.value.errors[0]["field"] == "email"


@pytest.mark.parametrize("again", ["Joe", "joe", "JOE"])
def test_a_username_is_taken_whatever_its_case(again: str) -> None:
    register(username="Joe")
    with pytest.raises(UsernameTaken) as refused:
        register(email="other@x.org", username=again)
    assert refused.value.errors[0]["field"] == "username"


def test_a_value_that_names_another_column_does_not_confuse_the_refusal() -> None:
    register(email="username@x.org", username="email")
    with pytest.raises(UsernameTaken):
        register(email="other@x.org", username="EMAIL")
    with pytest.raises(EmailTaken):
        register(email="username@x.org", username="other")


def test_the_database_itself_refuses_the_duplicate() -> None:
    joe = UserFactory(username="Joe")
    for duplicate in ({"email": joe.email}, {"username": "jOE"}, {"uid": joe.uid}):
        with pytest.raises(IntegrityError), transaction.atomic():
            UserFactory(**duplicate)


def test_the_callers_transaction_survives_a_duplicate() -> None:
    register()
    with transaction.atomic():
        with pytest.raises(EmailTaken):
            register()
        register(email="ann@x.org")
    assert User.objects.count() == 2


@pytest.mark.parametrize("password", ["short7", "password123", "8402938471", "joe@x.org"])
def test_a_weak_password_is_refused_and_nothing_stored(password: str) -> None:
    with pytest.raises(WeakPassword) as refused:
        register(password=password)
    assert {item["field"] for item in refused.value.errors} == {"password"}
    assert not User.objects.exists()


@pytest.mark.parametrize("identifier", ["joe@x.org", "JOE@X.ORG", "Joe", "jOE"])
def test_a_user_is_found_by_address_and_username_in_one_query(
    identifier: str, django_assert_num_queries: Callable[[int], Any]
) -> None:
    joe = register(username="Joe")
    with django_assert_num_queries(1):
        assert selectors.user_find(identifier=identifier) == joe


@pytest.mark.parametrize("identifier", ["jo\x01e@x.org", "joé@x.org", "joe%", "j_e", "Joé", ""])
def test_a_look_alike_finds_nobody(identifier: str) -> None:
    register(username="Joe")
    assert selectors.user_find(identifier=identifier) is None


def test_a_missing_user_is_not_found() -> None:
    with pytest.raises(NotFound):
        selectors.user_get(user_id=1)


def test_own_name_and_username_can_be_changed_and_nothing_else_is_touched() -> None:
    joe = register(username="Joe")
    User.objects.filter(pk=joe.pk).update(is_staff=True)
    services.user_update(user_id=joe.pk, name="Joe Doe", username="JOE")
    joe.refresh_from_db()
    assert (joe.name, joe.username, joe.is_staff) == ("Joe Doe", "JOE", True)


def test_a_change_to_a_taken_username_is_refused() -> None:
    UserFactory(username="Ann")
    joe = register()
    with pytest.raises(UsernameTaken):
        services.user_update(user_id=joe.pk, username="ann")


def hashes_for(monkeypatch: pytest.MonkeyPatch, identifier: str, password: str) -> int:
    count = 0
    encode = MD5PasswordHasher.encode

    def counted(self: Any, *args: Any, **kwargs: Any) -> str:
        nonlocal count
        count += 1
        return encode(self, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(MD5PasswordHasher, "encode", counted)
        assert authenticate(username=identifier, password=password) is None
    return count


def costs(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    register()
    register(email="gone@x.org")
    User.objects.filter(email="gone@x.org").update(is_active=False)
    tries = [("joe@x.org", "wrong"), ("gone@x.org", PASSWORD), ("nobody@x.org", PASSWORD)]
    tries += [("nobody", PASSWORD), ("jo\x01e@x.org", PASSWORD)]
    return [hashes_for(monkeypatch, *attempt) for attempt in tries]


def test_every_refused_sign_in_costs_one_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    assert costs(monkeypatch) == [1, 1, 1, 1, 1]


def test_control_without_the_spare_hash_an_unknown_user_is_told_by_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(backends, "make_password", lambda password: "")
    assert costs(monkeypatch) == [1, 1, 0, 0, 0]


def test_a_superuser_is_made_from_an_address_and_a_password() -> None:
    root = User.objects.create_superuser("Root@X.org", PASSWORD)
    assert (root.email, root.is_staff, root.is_superuser) == ("root@x.org", True, True)


def test_deactivation_ends_every_session_and_is_the_same_twice() -> None:
    joe, ann = UserFactory(), UserFactory()
    mine = [session_start(user_id=joe.pk) for _ in range(3)]
    hers = session_start(user_id=ann.pk)
    services.user_deactivate(user_id=joe.pk)
    services.user_deactivate(user_id=joe.pk)
    assert [_speaks_for(pair.access) for pair in mine] == [None] * 3
    assert _speaks_for(hers.access).pk == ann.pk
    assert set(joe.families.values_list("revoked_reason", flat=True)) == {"deactivated"}


def test_reactivation_brings_no_old_session_back() -> None:
    joe = UserFactory()
    access = session_start(user_id=joe.pk).access
    services.user_deactivate(user_id=joe.pk)
    joe.is_active = True
    services.user_save(user=joe, changed=["is_active"])
    assert _speaks_for(access) is None


def test_a_role_that_is_taken_away_is_gone_from_running_sessions() -> None:
    boss = StaffFactory()
    access = session_start(user_id=boss.pk).access
    assert _speaks_for(access).is_staff
    boss.is_staff = False
    services.user_save(user=boss, changed=["is_staff"])
    assert not _speaks_for(access).is_staff


def test_control_without_the_reload_a_running_session_keeps_the_role(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("accounts.sessions.store.doubt", lambda families: None)
    with pytest.raises(AssertionError):
        test_a_role_that_is_taken_away_is_gone_from_running_sessions()


def _speaks_for(access: str) -> Any:
    return sessions.principal_of(family=tokens.read(access, "access").family)

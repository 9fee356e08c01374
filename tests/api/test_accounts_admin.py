"""Users in the Django admin."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from accounts.sessions import selectors, tokens
from accounts.sessions.services import session_start
from accounts.users.models import User
from tests.factories.users import PASSWORD, StaffFactory, SuperuserFactory, UserFactory

pytestmark = pytest.mark.django_db

USERS = "/admin/accounts/user/"


@pytest.fixture
def root() -> Client:
    client = Client()
    client.force_login(SuperuserFactory())
    return client


@pytest.fixture
def clerk() -> Client:
    """Staff who may change users, and no more."""
    user = StaffFactory()
    user.user_permissions.set(Permission.objects.filter(content_type__app_label="accounts"))
    client = Client()
    client.force_login(user)
    return client


def form_of(user: User, **changes: Any) -> dict[str, Any]:
    shown = {"email": user.email, "username": user.username, "name": user.name}
    flags = {
        name: "on" for name in ("is_active", "is_staff", "is_superuser") if getattr(user, name)
    }
    return {k: v for k, v in {**shown, **flags, **changes}.items() if v is not None}


def speaks_for(access: str) -> Any:
    return selectors.principal_of(family=tokens.read(access, "access").family)


@pytest.mark.parametrize("field", ["email", "username"])
def test_staff_sign_in_with_address_or_username(field: str) -> None:
    boss, client = StaffFactory(), Client()
    answer = client.post(
        "/admin/login/?next=/admin/",
        {"username": getattr(boss, field).upper(), "password": PASSWORD},
    )
    assert answer.status_code == 302
    assert client.get("/admin/").status_code == 200


def test_a_customer_does_not_get_in() -> None:
    joe, client = UserFactory(), Client()
    client.post("/admin/login/", {"username": joe.email, "password": PASSWORD})
    assert client.get("/admin/").status_code == 302


def test_users_are_found_and_shown_without_their_hash(root: Client) -> None:
    joe = UserFactory(email="findme@x.org")
    assert "findme@x.org" in root.get(USERS, {"q": "findme"}).content.decode()
    page = root.get(f"{USERS}{joe.pk}/change/").content.decode()
    assert str(joe.uid) in page
    assert joe.password not in page
    assert 'name="uid"' not in page
    assert 'name="password"' not in page


def test_staff_add_a_user_with_a_password(root: Client) -> None:
    answer = root.post(
        f"{USERS}add/",
        {"email": "New@X.org", "password1": PASSWORD, "password2": PASSWORD}
        | {"usable_password": "true"},
    )
    assert answer.status_code == 302
    assert User.objects.get(email="new@x.org").check_password(PASSWORD)


def test_a_duplicate_is_shown_in_the_form(root: Client) -> None:
    joe, ann = UserFactory(username="Joe"), UserFactory()
    answer = root.post(f"{USERS}{ann.pk}/change/", form_of(ann, username="jOE"))
    assert answer.status_code == 200
    assert "is taken" in answer.content.decode()
    answer = root.post(f"{USERS}{ann.pk}/change/", form_of(ann, email=joe.email.upper()))
    assert answer.status_code == 200
    assert "is taken" in answer.content.decode()


def test_deactivating_in_the_form_ends_the_users_sessions(root: Client) -> None:
    joe = UserFactory()
    access = session_start(user_id=joe.pk).access
    assert speaks_for(access)
    assert root.post(f"{USERS}{joe.pk}/change/", form_of(joe, is_active=None)).status_code == 302
    assert speaks_for(access) is None


def test_the_deactivate_action_ends_the_users_sessions(root: Client) -> None:
    joe = UserFactory()
    access = session_start(user_id=joe.pk).access
    assert speaks_for(access)
    root.post(USERS, {"action": "deactivate", "_selected_action": [joe.pk]})
    assert speaks_for(access) is None


def test_a_new_role_reaches_running_sessions(root: Client) -> None:
    joe = UserFactory()
    access = session_start(user_id=joe.pk).access
    assert not speaks_for(access).is_staff
    root.post(f"{USERS}{joe.pk}/change/", form_of(joe, is_staff="on"))
    assert speaks_for(access).is_staff


def test_users_are_not_deleted(root: Client) -> None:
    assert root.get(f"{USERS}{UserFactory().pk}/delete/").status_code == 403


def test_a_clerk_cannot_hand_out_powers(clerk: Client) -> None:
    joe = UserFactory()
    answer = clerk.post(
        f"{USERS}{joe.pk}/change/", form_of(joe, name="New", is_staff="on", is_superuser="on")
    )
    assert answer.status_code == 302
    joe.refresh_from_db()
    assert (joe.name, joe.is_staff, joe.is_superuser) == ("New", False, False)


def test_a_clerk_cannot_touch_a_superuser(clerk: Client) -> None:
    boss = SuperuserFactory()
    answer = clerk.post(f"{USERS}{boss.pk}/change/", form_of(boss, email="mine@x.org"))
    assert answer.status_code == 403
    clerk.post(USERS, {"action": "deactivate", "_selected_action": [boss.pk]})
    boss.refresh_from_db()
    assert boss.is_active

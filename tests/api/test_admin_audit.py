"""What staff do to users, groups and categories in the admin is in the audit log."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client
from rest_framework.test import APIClient

from accounts.sessions.services import session_start
from accounts.users import services
from accounts.users.models import User
from common.audit.models import AuditEntry
from shop.models import Category
from tests.factories.shop import CategoryFactory
from tests.factories.users import PASSWORD, StaffFactory, SuperuserFactory, UserFactory

pytestmark = pytest.mark.django_db

USERS = "/admin/accounts/user/"
GROUPS = "/admin/auth/group/"
CATEGORIES = "/admin/shop/category/"


@pytest.fixture
def boss() -> User:
    return SuperuserFactory()


@pytest.fixture
def root(boss: User) -> Client:
    client = Client()
    client.force_login(boss)
    return client


def form_of(user: User, **changes: Any) -> dict[str, Any]:
    shown = {"email": user.email, "username": user.username, "name": user.name, "is_active": "on"}
    return {name: value for name, value in {**shown, **changes}.items() if value is not None}


def change(client: Client, user: User, **changes: Any) -> None:
    answer = client.post(f"{USERS}{user.pk}/change/", form_of(user, **changes))
    assert answer.status_code == 302


def entries() -> list[tuple[str, str, Any]]:
    rows = AuditEntry.objects.order_by("pk")
    return list(rows.values_list("action", "target", "data"))


@pytest.mark.parametrize(
    ("sent", "data"),
    [
        ({"is_active": None}, {"is_active": [True, False]}),
        ({"is_staff": "on"}, {"is_staff": [False, True]}),
        ({"is_superuser": "on"}, {"is_superuser": [False, True]}),
        ({"email": "other@x.org", "name": "Other"}, {"changed": ["email", "name"]}),
        ({}, None),
    ],
)
def test_a_changed_user_is_written_down(
    root: Client, boss: User, sent: dict[str, Any], data: dict[str, Any] | None
) -> None:
    joe = UserFactory()
    change(root, joe, **sent)
    assert entries() == ([("user.update", f"user:{joe.uid}", data)] if data else [])
    actors = AuditEntry.objects.values_list("actor_id", flat=True)
    assert {*actors} == ({boss.pk} if data else set())


def test_control_without_the_entry_the_comparison_fails(
    root: Client, boss: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "record", lambda **_: None)
    with pytest.raises(AssertionError):
        test_a_changed_user_is_written_down(
            root, boss, {"is_staff": "on"}, {"is_staff": [False, True]}
        )


def test_groups_and_permissions_of_a_user_are_written_down(root: Client) -> None:
    joe, clerks = UserFactory(), Group.objects.create(name="clerks")
    may = Permission.objects.get(codename="view_order")
    change(root, joe, groups=[clerks.pk], user_permissions=[may.pk])
    granted = {"groups": [[], ["clerks"]], "user_permissions": [[], ["shop.view_order"]]}
    assert entries() == [("user.powers", f"user:{joe.uid}", granted)]
    change(root, joe)
    assert entries()[1][2] == {name: after_before(pair) for name, pair in granted.items()}


def after_before(pair: list[Any]) -> list[Any]:
    return pair[::-1]


def test_what_a_group_may_is_written_down_until_it_is_deleted(root: Client) -> None:
    may = Permission.objects.get(codename="change_payment")
    root.post(f"{GROUPS}add/", {"name": "clerks", "permissions": [may.pk]})
    clerks = Group.objects.get()
    root.post(f"{GROUPS}{clerks.pk}/change/", {"name": "clerks"})
    root.post(f"{GROUPS}{clerks.pk}/delete/", {"post": "yes"})
    target, held = f"group:{clerks.pk}", ["payments.change_payment"]
    assert entries() == [
        ("group.powers", target, {"permissions": [[], held]}),
        ("group.powers", target, {"permissions": [held, []]}),
        ("group.delete", target, {"name": "clerks", "permissions": []}),
    ]
    assert not Group.objects.exists()


def test_groups_deleted_from_the_list_are_written_down_each(root: Client) -> None:
    keys = [Group.objects.create(name=name).pk for name in ("a", "b")]
    root.post(GROUPS, {"action": "delete_selected", "_selected_action": keys, "post": "yes"})
    assert [action for action, _, _ in entries()] == ["group.delete"] * 2
    assert not Group.objects.exists()


def test_a_user_whom_staff_add_is_written_down_without_the_password(root: Client) -> None:
    passwords = {"password1": PASSWORD, "password2": PASSWORD, "usable_password": "true"}
    root.post(f"{USERS}add/", {"email": "new@x.org", **passwords})
    made = User.objects.get(email="new@x.org")
    [(action, target, data)] = entries()
    assert (action, target) == ("user.create", f"user:{made.uid}")
    assert data["password"] == [None, True]
    assert made.password not in str(data)
    assert PASSWORD not in str(data)


def by_form(client: Client, user: User) -> None:
    change(client, user, is_active=None, is_staff="on")


def by_action(client: Client, user: User) -> None:
    client.post(USERS, {"action": "deactivate", "_selected_action": [user.pk]})


@pytest.mark.parametrize("deactivate", [by_form, by_action])
def test_deactivating_ends_tokens_and_admin_sessions_at_once(
    root: Client, deactivate: Callable[[Client, User], None]
) -> None:
    clerk, browser = StaffFactory(), Client()
    browser.force_login(clerk)
    pair = session_start(user_id=clerk.pk)
    assert reaches(browser, pair) == (200, 200)
    deactivate(root, clerk)
    assert reaches(browser, pair) == (401, 302)
    refreshed = APIClient().post("/api/v1/auth/token/refresh/", {"refresh": pair.refresh}, "json")
    assert refreshed.status_code == 401
    assert [row[::2] for row in entries()] == [("user.update", {"is_active": [True, False]})]


def reaches(browser: Client, pair: Any) -> tuple[int, int]:
    """What the access token and the admin's session of one user answer."""
    headers = {"Authorization": f"Bearer {pair.access}"}
    return (
        APIClient().get("/api/v1/auth/me/", headers=headers).status_code,
        browser.get("/admin/").status_code,
    )


def test_control_a_deactivation_that_ends_no_session(
    root: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services.sessions, "sessions_end", lambda **_: 0)
    with pytest.raises(AssertionError):
        test_deactivating_ends_tokens_and_admin_sessions_at_once(root, by_form)


def test_deactivating_twice_is_written_down_once(root: Client) -> None:
    joe = UserFactory()
    for _ in range(2):
        by_action(root, joe)
    assert len(entries()) == 1


def test_a_password_set_while_the_form_was_open_stays(root: Client) -> None:
    joe = UserFactory()
    stale = User.objects.get(pk=joe.pk)
    joe.set_password("quite-another-horse-7")
    joe.save()
    stale.name = "New"
    services.user_save(user=stale, changed=["name"])
    joe.refresh_from_db()
    assert joe.name == "New"
    assert joe.check_password("quite-another-horse-7")


def test_categories_made_and_changed_are_written_down(root: Client, boss: User) -> None:
    new = {"slug": "rugs", "name": "Rugs", "position": 3}
    root.post(f"{CATEGORIES}add/", new)
    made = Category.objects.get(slug="rugs")
    for _ in range(2):
        root.post(f"{CATEGORIES}{made.pk}/change/", {**new, "name": "Carpets", "slug": "carpets"})
    assert entries() == [
        ("category.create", "category:rugs", {name: [None, new[name]] for name in new}),
        (
            "category.update",
            "category:rugs",
            {"slug": ["rugs", "carpets"], "name": ["Rugs", "Carpets"]},
        ),
    ]
    assert {*AuditEntry.objects.values_list("actor_id", flat=True)} == {boss.pk}


def test_categories_are_not_deleted(root: Client) -> None:
    made = CategoryFactory()
    assert root.post(f"{CATEGORIES}{made.pk}/delete/", {"post": "yes"}).status_code == 403
    chosen = {"action": "delete_selected", "_selected_action": [made.pk], "post": "yes"}
    root.post(CATEGORIES, chosen)
    assert Category.objects.filter(pk=made.pk).exists()


def test_an_act_that_fails_leaves_neither_row_nor_entry(
    root: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_: Any) -> None:
        raise ZeroDivisionError

    joe = UserFactory()
    monkeypatch.setattr(services, "powers_audit", refuse)
    with pytest.raises(ZeroDivisionError):
        change(root, joe, is_staff="on")
    joe.refresh_from_db()
    assert not joe.is_staff
    assert entries() == []

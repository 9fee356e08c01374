"""New passwords and mailed links, as a client and a mailbox see them."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.core import mail
from django.core.cache import cache
from django.core.management import call_command
from django.test import Client
from rest_framework.test import APIClient

from accounts.credentials import services, tasks
from accounts.sessions.services import session_start
from accounts.users.models import User
from accounts.users.services import user_deactivate, user_save
from common.outbox.models import OutboxMessage
from tests.factories.users import PASSWORD, StaffFactory, UserFactory

pytestmark = pytest.mark.django_db

AUTH = "/api/v1/auth/"
NEW = "quite-another-horse-7"
CHANGE = {"old_password": PASSWORD, "new_password": NEW}


def post(path: str, body: Any = None, access: str = "", **extra: str) -> Any:
    headers = {"Authorization": f"Bearer {access}"} if access else {}
    return APIClient().post(AUTH + path, body, format="json", headers=headers, **extra)


def access_of(user: User) -> str:
    return session_start(user_id=user.pk).access


def me(access: str) -> int:
    answer = APIClient().get(AUTH + "me/", headers={"Authorization": f"Bearer {access}"})
    return int(answer.status_code)


def signs_in(user: User, password: str) -> bool:
    return bool(post("token/", {"email": user.email, "password": password}).status_code == 200)


def mailed_token(drain: Callable[..., int]) -> str:
    """The token of the newest mail's link."""
    drain()
    found = re.search(r"#token=(\S+)", str(mail.outbox[-1].body))
    assert found
    return found[1]


def reset_token(user: User, drain: Callable[..., int]) -> str:
    assert post("password/reset/", {"email": user.email}).status_code == 204
    return mailed_token(drain)


def confirm(token: str, password: str = NEW) -> Any:
    return post("password/reset/confirm/", {"token": token, "new_password": password})


def problem(answer: Any) -> tuple[int, str, list[str]]:
    body = answer.json()
    return answer.status_code, body["code"], [item["field"] for item in body["errors"]]


class TestChange:
    def test_a_new_password_replaces_the_old_one(self) -> None:
        joe = UserFactory()
        answer = post("password/change/", CHANGE, access_of(joe))
        assert (answer.status_code, answer.content) == (204, b"")
        assert (signs_in(joe, PASSWORD), signs_in(joe, NEW)) == (False, True)

    def test_every_session_ends_at_once_the_callers_too_and_nobody_elses(self) -> None:
        joe, ann = UserFactory(), UserFactory()
        mine, elsewhere, hers = (session_start(user_id=user.pk) for user in (joe, joe, ann))
        assert [me(pair.access) for pair in (mine, elsewhere, hers)] == [200, 200, 200]
        assert post("password/change/", CHANGE, mine.access).status_code == 204
        assert [me(pair.access) for pair in (mine, elsewhere, hers)] == [401, 401, 200]
        assert post("token/refresh/", {"refresh": elsewhere.refresh}).status_code == 401
        assert set(joe.families.values_list("revoked_reason", flat=True)) == {"password"}

    @pytest.mark.django_db(transaction=True)
    def test_the_ended_access_token_is_refused_without_a_query(
        self, django_assert_num_queries: Callable[[int], Any]
    ) -> None:
        access = access_of(UserFactory())
        assert post("password/change/", CHANGE, access).status_code == 204
        with django_assert_num_queries(0):
            assert me(access) == 401

    def test_a_wrong_old_password_is_refused_by_name_and_ends_nothing(self) -> None:
        joe = UserFactory()
        access = access_of(joe)
        answer = post("password/change/", {**CHANGE, "old_password": "wrong"}, access)
        assert problem(answer) == (400, "wrong_password", ["old_password"])
        assert me(access) == 200
        assert signs_in(joe, PASSWORD)

    def test_a_weak_new_password_is_refused_by_name(self) -> None:
        access = access_of(UserFactory())
        answer = post("password/change/", {**CHANGE, "new_password": "12345"}, access)
        assert answer.status_code == 400
        assert problem(answer)[1] == "weak_password"
        assert set(problem(answer)[2]) == {"new_password"}

    def test_a_stolen_access_token_guesses_no_password(self) -> None:
        access = access_of(UserFactory())
        guesses = [
            post("password/change/", {**CHANGE, "old_password": f"guess-{n}"}, access).status_code
            for n in range(12)
        ]
        assert guesses == [400] * 10 + [429] * 2

    def test_control_without_the_end_of_sessions_they_live_on(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(services.sessions, "sessions_end", lambda **kwargs: 0)
        with pytest.raises(AssertionError):
            self.test_every_session_ends_at_once_the_callers_too_and_nobody_elses()


class TestOtherDoors:
    """Passwords that Django itself changes."""

    def test_the_admins_own_page_ends_the_sessions(self) -> None:
        boss, client = StaffFactory(), Client()
        client.force_login(boss)
        access = access_of(boss)
        assert me(access) == 200
        form = {"old_password": PASSWORD, "new_password1": NEW, "new_password2": NEW}
        assert client.post("/admin/password_change/", form).status_code == 302
        assert me(access) == 401

    def test_the_command_ends_the_sessions(self, monkeypatch: pytest.MonkeyPatch) -> None:
        joe = UserFactory()
        access = access_of(joe)
        monkeypatch.setattr("getpass.getpass", lambda *args, **kwargs: NEW)
        call_command("changepassword", joe.email)
        assert me(access) == 401

    def test_control_without_the_validator_they_live_on(self, settings: Any) -> None:
        settings.AUTH_PASSWORD_VALIDATORS = []
        with pytest.raises(AssertionError):
            self.test_the_admins_own_page_ends_the_sessions()


class TestReset:
    def test_a_mailed_link_sets_a_new_password(self, drain: Any) -> None:
        joe = UserFactory()
        answer = confirm(reset_token(joe, drain))
        assert (answer.status_code, answer.content) == (204, b"")
        assert (signs_in(joe, PASSWORD), signs_in(joe, NEW)) == (False, True)

    def test_every_session_ends(self, drain: Any) -> None:
        joe = UserFactory()
        access = access_of(joe)
        assert me(access) == 200
        confirm(reset_token(joe, drain))
        assert me(access) == 401

    def test_known_unknown_and_inactive_addresses_are_answered_alike(
        self, django_assert_num_queries: Callable[[int], Any], drain: Any
    ) -> None:
        joe, gone = UserFactory(), UserFactory(is_active=False)
        answers = []
        for email in (joe.email, "nobody@x.org", gone.email):
            with django_assert_num_queries(1):  # the message
                answers.append(post("password/reset/", {"email": email}))
        assert {(a.status_code, a.content) for a in answers} == {(204, b"")}
        assert len({tuple(sorted(set(a.headers) - {"X-Request-ID"})) for a in answers}) == 1
        assert drain() == 3
        assert [sent.to for sent in mail.outbox] == [[joe.email]]

    def test_the_request_looks_nobody_up(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def forbidden(**kwargs: Any) -> None:
            raise AssertionError

        monkeypatch.setattr("accounts.users.selectors.user_find", forbidden)
        assert post("password/reset/", {"email": UserFactory().email}).status_code == 204

    def test_a_link_works_once(self, drain: Any) -> None:
        token = reset_token(UserFactory(), drain)
        assert confirm(token).status_code == 204
        assert problem(confirm(token, "a-third-good-horse-7")) == (400, "link_not_valid", ["token"])

    def test_a_link_works_for_an_hour(self, drain: Any, settings: Any) -> None:
        assert settings.PASSWORD_RESET_SECONDS == 3600
        settings.PASSWORD_RESET_SECONDS = 0
        assert problem(confirm(reset_token(UserFactory(), drain)))[1] == "link_not_valid"

    def test_any_change_of_the_password_ends_the_link(self, drain: Any) -> None:
        joe = UserFactory()
        token = reset_token(joe, drain)
        assert post("password/change/", CHANGE, access_of(joe)).status_code == 204
        assert confirm(token, "a-third-good-horse-7").status_code == 400

    def test_another_address_ends_the_link(self, drain: Any) -> None:
        joe = UserFactory()
        token = reset_token(joe, drain)
        User.objects.filter(pk=joe.pk).update(email="new@x.org")
        assert confirm(token).status_code == 400

    def test_an_inactive_user_gets_in_by_no_link(self, drain: Any) -> None:
        joe = UserFactory()
        token = reset_token(joe, drain)
        user_deactivate(user_id=joe.pk)
        assert confirm(token).status_code == 400

    def test_made_up_changed_and_foreign_tokens_are_refused_alike(self, drain: Any) -> None:
        token = reset_token(UserFactory(), drain)
        made = post("register/", {"email": "ann@x.org", "password": PASSWORD})
        assert made.status_code == 201
        verify = mailed_token(drain)
        for wrong in ("x", "a:b", "é:é", token[:-1], token.swapcase(), f"{token}=", verify):
            assert problem(confirm(wrong)) == (400, "link_not_valid", ["token"])
        assert confirm(token).status_code == 204

    def test_a_weak_password_leaves_the_link_as_it_was(self, drain: Any) -> None:
        token = reset_token(UserFactory(), drain)
        assert problem(confirm(token, "12345"))[1] == "weak_password"
        assert confirm(token).status_code == 204

    def test_a_used_link_proves_the_address(self, drain: Any) -> None:
        joe = UserFactory()
        assert confirm(reset_token(joe, drain)).status_code == 204
        joe.refresh_from_db()
        assert joe.email_verified_at

    def test_an_owner_whose_address_was_used_up_signs_in_after_a_reset(self, drain: Any) -> None:
        joe = UserFactory()
        for _ in range(12):
            signs_in(joe, "guess")
        assert not signs_in(joe, PASSWORD)
        confirm(reset_token(joe, drain))
        assert signs_in(joe, NEW)


class TestMails:
    def test_a_mail_has_text_and_html_and_a_link_to_the_shop(
        self, drain: Any, settings: Any
    ) -> None:
        settings.PUBLIC_URL = "https://shop.example.org/"
        joe = UserFactory(name="Joe <b>Doe</b>")
        token = reset_token(joe, drain)
        sent = mail.outbox[0]
        link = f"https://shop.example.org/account/reset/#token={token}"
        assert (sent.to, sent.subject) == ([joe.email], "Souk: Set a new password")
        assert link in sent.body
        assert "Joe <b>Doe</b>" in sent.body
        [(html, kind)] = sent.alternatives  # type: ignore[attr-defined]
        assert kind == "text/html"
        assert f'href="{link}"' in html
        assert "<b>Doe" not in html

    def test_a_subject_has_one_line(self, drain: Any) -> None:
        reset_token(UserFactory(name="A\r\nBcc: all@x.org"), drain)
        assert mail.outbox[0].recipients() == [mail.outbox[0].to[0]]
        assert "Bcc" not in mail.outbox[0].message()

    def test_no_token_is_in_the_outbox_or_the_log(
        self, drain: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level("DEBUG")
        token = reset_token(UserFactory(), drain)
        confirm(token)
        kept = [*map(str, OutboxMessage.objects.values()), caplog.text]
        assert not [text for text in kept if token in text or NEW in text]

    def test_a_hundred_requests_fill_no_inbox(self, drain: Any) -> None:
        joe = UserFactory()
        for number in range(100):
            post("password/reset/", {"email": joe.email}, REMOTE_ADDR=f"203.0.113.{number}")
        drain()
        assert len(mail.outbox) == 1
        cache.clear()
        reset_token(joe, drain)
        assert len(mail.outbox) == 2

    def test_a_task_that_runs_twice_mails_once(self) -> None:
        joe = UserFactory()
        for _ in range(2):
            tasks.send_reset(email=joe.email, nonce="a")
        assert len(mail.outbox) == 1

    def test_a_mail_server_that_is_down_is_tried_again(
        self, drain: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        joe = UserFactory()
        assert post("password/reset/", {"email": joe.email}).status_code == 204
        with monkeypatch.context() as patch:
            patch.setattr(mail.EmailMultiAlternatives, "send", refuse)
            drain()
        message = OutboxMessage.objects.get()
        assert (message.done_at, message.last_error) == (None, "TryLater")
        drain(later=True)
        assert len(mail.outbox) == 1

    @pytest.mark.parametrize("name", ["reset", "verify"])
    def test_a_link_leads_to_a_page_that_sends_the_token_on(self, name: str) -> None:
        target = {"reset": "password/reset/confirm/", "verify": "email/verify/"}[name]
        text = Client().get(f"/account/{name}/").content.decode()
        assert f'action="{AUTH}{target}"' in text
        assert "<script>" not in text


def refuse(*args: Any, **kwargs: Any) -> None:
    raise ConnectionRefusedError


class TestVerification:
    def register(self) -> str:
        answer = post("register/", {"email": "joe@x.org", "password": PASSWORD})
        assert answer.json()["user"]["email_verified"] is False
        return str(answer.json()["access"])

    def verified(self, access: str) -> bool:
        headers = {"Authorization": f"Bearer {access}"}
        return bool(APIClient().get(AUTH + "me/", headers=headers).json()["email_verified"])

    def test_registering_mails_a_link_that_verifies_the_address(self, drain: Any) -> None:
        access = self.register()
        token = mailed_token(drain)
        assert mail.outbox[0].subject == "Souk: Confirm your e-mail address"
        assert "/account/verify/#token=" in mail.outbox[0].body
        for _ in range(2):
            answer = post("email/verify/", {"token": token})
            assert (answer.status_code, answer.content) == (204, b"")
        assert self.verified(access)

    def test_a_refused_registration_mails_nothing(self, drain: Any) -> None:
        UserFactory(email="joe@x.org")
        assert post("register/", {"email": "joe@x.org", "password": PASSWORD}).status_code == 400
        assert drain() == 0

    def test_the_first_verification_counts(self, drain: Any) -> None:
        self.register()
        token = mailed_token(drain)
        post("email/verify/", {"token": token})
        first = User.objects.get().email_verified_at
        post("email/verify/", {"token": token})
        assert User.objects.get().email_verified_at == first

    def test_a_link_for_an_old_address_or_an_old_day_verifies_nothing(
        self, drain: Any, settings: Any
    ) -> None:
        settings.EMAIL_VERIFY_SECONDS = 0
        access = self.register()
        late = mailed_token(drain)
        assert problem(post("email/verify/", {"token": late})) == (400, "link_not_valid", ["token"])
        settings.EMAIL_VERIFY_SECONDS = 60
        cache.clear()
        post("email/verify/resend/", access=access)
        old = mailed_token(drain)
        User.objects.update(email="new@x.org")
        assert post("email/verify/", {"token": old}).status_code == 400
        assert not self.verified(access)

    def test_a_link_for_a_password_verifies_nothing(self, drain: Any) -> None:
        token = reset_token(UserFactory(), drain)
        assert post("email/verify/", {"token": token}).status_code == 400

    def test_the_link_is_mailed_again_until_it_is_used(self, drain: Any) -> None:
        access = self.register()
        mailed_token(drain)
        cache.clear()
        assert post("email/verify/resend/", access=access).status_code == 204
        post("email/verify/", {"token": mailed_token(drain)})
        assert len(mail.outbox) == 2
        cache.clear()
        assert post("email/verify/resend/", access=access).status_code == 204
        drain()
        assert len(mail.outbox) == 2

    def test_a_new_address_in_the_admin_is_not_verified(self, drain: Any) -> None:
        joe = UserFactory()
        confirm(reset_token(joe, drain))
        joe.refresh_from_db()
        joe.email = "new@x.org"
        user_save(user=joe, changed=["email"])
        joe.refresh_from_db()
        assert joe.email_verified_at is None

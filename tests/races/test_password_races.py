"""One link, one winner; no session by a password that was changed meanwhile. On MySQL."""

import threading
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.db.models import QuerySet

from accounts.credentials import services, tokens
from accounts.sessions import services as sessions
from accounts.sessions.errors import InvalidCredentials
from accounts.sessions.models import RefreshFamily
from accounts.users.models import User
from common import clock
from tests.factories.users import PASSWORD, UserFactory
from tests.races.parallel import in_parallel

pytestmark = pytest.mark.django_db(transaction=True)

PARALLEL = 20
NEW = "quite-another-horse-{}"


def winners_of_one_link() -> list[int]:
    """Twenty set a password of their own with one link: who was told that theirs is set."""
    user = UserFactory()
    lifetime = timedelta(hours=1)
    token = tokens.make(tokens.RESET, user, now=clock.now(), lifetime=lifetime)
    results = in_parallel(
        [
            partial(services.password_reset, token=token, new_password=NEW.format(number))
            for number in range(PARALLEL)
        ]
    )
    won = [number for number, result in enumerate(results) if isinstance(result, User)]
    user.refresh_from_db()
    # Exact by row count, and the password that stands is a winner's.
    assert [number for number in won if user.check_password(NEW.format(number))]
    return won


@pytest.mark.proof(
    "One link to a new password",
    size=f"{PARALLEL} in parallel, 3 rounds",
    control="test_control_without_the_condition_several_win",
    runs=20,
)
def test_one_of_twenty_that_use_a_link_wins() -> None:
    for _ in range(3):
        assert len(winners_of_one_link()) == 1


def test_control_without_the_condition_several_win(monkeypatch: pytest.MonkeyPatch) -> None:
    def anybody(user: User) -> QuerySet[User]:
        return User.objects.filter(pk=user.pk)

    monkeypatch.setattr(services, "_unchanged", anybody)
    with pytest.raises(AssertionError):
        test_one_of_twenty_that_use_a_link_wins()


def test_one_of_twenty_that_change_a_password_wins() -> None:
    user = UserFactory()
    results = in_parallel(
        [
            partial(
                services.password_change,
                user_id=user.pk,
                old_password=PASSWORD,
                new_password=NEW.format(number),
            )
            for number in range(PARALLEL)
        ]
    )
    assert results.count(None) == 1


def living_after_a_sign_in_met_a_change(monkeypatch: pytest.MonkeyPatch) -> tuple[int, Any]:
    """A sign-in has compared the old password; the change commits before it has its session."""
    user = UserFactory()
    compare = sessions.authenticate

    def overtaken(**credentials: Any) -> Any:
        found = compare(**credentials)
        change = partial(
            services.password_change,
            user_id=user.pk,
            old_password=PASSWORD,
            new_password=NEW.format(1),
        )
        other = threading.Thread(target=lambda: in_parallel([change]))
        other.start()
        other.join(120)
        return found

    with monkeypatch.context() as patch:
        patch.setattr(sessions, "authenticate", overtaken)
        sign_in = partial(sessions.session_open, identifier=user.email, password=PASSWORD)
        outcome = in_parallel([sign_in])
    return RefreshFamily.objects.filter(user=user, revoked_at=None).count(), outcome[0]


@pytest.mark.proof(
    "A sign-in meets a change of password",
    size="1 of each",
    control="test_control_without_the_comparison_under_the_lock_it_does",
    runs=20,
)
def test_no_session_starts_by_a_password_that_was_changed_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    living, outcome = living_after_a_sign_in_met_a_change(monkeypatch)
    assert living == 0
    assert isinstance(outcome, InvalidCredentials)


def test_control_without_the_comparison_under_the_lock_it_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    start = sessions.session_start
    monkeypatch.setattr(
        sessions, "session_start", lambda *, user_id, proven_by=None: start(user_id=user_id)
    )
    assert living_after_a_sign_in_met_a_change(monkeypatch)[0] == 1

"""Sign-ins and refreshes in parallel, on MySQL; each guard with the control that lacks it."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event
from typing import Any

import pytest
from django.db import connection, connections

from accounts.sessions import locks, services
from accounts.sessions.errors import TokenReused
from accounts.sessions.models import RefreshFamily
from accounts.users.errors import EmailTaken
from accounts.users.models import User
from accounts.users.services import user_deactivate, user_register
from common.errors import SoukError
from tests.factories.users import PASSWORD, UserFactory

pytestmark = pytest.mark.django_db(transaction=True)

PARALLEL = 10


@pytest.fixture(autouse=True)
def on_mysql() -> None:
    # SQLite ignores row locks and proves nothing here: a failure, not a skip.
    assert connection.vendor == "mysql", "run me through: python .ci/servers.py run -- pytest"


def in_parallel(call: Callable[[int], Any], times: int = PARALLEL) -> list[Any]:
    """The results, or the refusals, of calls that start together."""
    together = Barrier(times)

    def one(number: int) -> Any:
        try:
            connection.ensure_connection()
            together.wait(120)
            return call(number)
        except SoukError as error:
            return error
        finally:
            connections.close_all()

    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(one, range(times)))


def living_after_parallel_refreshes() -> tuple[int, int, set[type]]:
    """Winners, living families, and what the losers were told."""
    user = UserFactory()
    pair = services.session_start(user_id=user.pk)
    results = in_parallel(lambda _: services.session_refresh(refresh=pair.refresh))
    refusals = [type(result) for result in results if isinstance(result, SoukError)]
    living = RefreshFamily.objects.filter(user=user, revoked_at=None).count()
    return len(results) - len(refusals), living, set(refusals)


@pytest.mark.proof(
    "Refreshes of one token",
    size=f"{PARALLEL} in parallel, 10 rounds",
    control="test_control_without_the_conditional_update_several_refreshes_win",
    runs=20,
)
def test_one_of_ten_refreshes_wins_and_no_family_is_left_alive() -> None:
    for _ in range(10):
        assert living_after_parallel_refreshes() == (1, 0, {TokenReused})


def test_control_without_the_conditional_update_several_refreshes_win(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        services, "_refreshable", lambda claims: RefreshFamily.objects.filter(uid=claims.family)
    )
    with pytest.raises(AssertionError):
        test_one_of_ten_refreshes_wins_and_no_family_is_left_alive()


def living_after_sign_in_meets_deactivation(monkeypatch: pytest.MonkeyPatch) -> int:
    """A sign-in has found its user active; a deactivation comes before it has its family."""
    user = UserFactory()
    found, active = Event(), locks.user_active

    def slowly(*, user_id: int) -> User | None:
        row = active(user_id=user_id)
        found.set()
        time.sleep(0.5)
        return row

    def either(number: int) -> Any:
        if number == 0:
            return services.session_open(identifier=user.email, password=PASSWORD)
        assert found.wait(120)
        return user_deactivate(user_id=user.pk)

    with monkeypatch.context() as patch:
        patch.setattr(locks, "user_active", slowly)
        in_parallel(either, 2)
    return RefreshFamily.objects.filter(user=user, revoked_at=None).count()


@pytest.mark.proof(
    "A sign-in meets a deactivation",
    size="1 of each",
    control="test_control_without_the_lock_the_session_survives",
    runs=20,
)
def test_no_session_survives_a_deactivation_that_meets_a_sign_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert living_after_sign_in_meets_deactivation(monkeypatch) == 0


def test_control_without_the_lock_the_session_survives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        locks, "user_active", lambda *, user_id: User.objects.get(pk=user_id, is_active=True)
    )
    assert living_after_sign_in_meets_deactivation(monkeypatch) == 1


def test_one_of_ten_registrations_of_an_address_wins() -> None:
    results = in_parallel(lambda _: user_register(email="joe@x.org", password=PASSWORD))
    assert sum(isinstance(result, User) for result in results) == 1
    assert sum(isinstance(result, EmailTaken) for result in results) == PARALLEL - 1

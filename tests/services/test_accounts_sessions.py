"""Families: who may refresh, what ends them, and what the cache may say about them."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from accounts.sessions import selectors, services, store, tasks, tokens
from accounts.sessions.errors import (
    InvalidCredentials,
    TokenExpired,
    TokenNotValid,
    TokenReused,
    TokenRevoked,
)
from accounts.sessions.models import RefreshFamily
from accounts.sessions.rules import Principal, TokenPair
from accounts.users.models import User
from common import clock
from tests.factories.users import PASSWORD, UserFactory

pytestmark = pytest.mark.django_db


def start(user: User | None = None) -> TokenPair:
    return services.session_start(user_id=(user or UserFactory()).pk)


def family_of(pair: TokenPair) -> UUID:
    return tokens.read(pair.refresh, "refresh").family


def lives(pair: TokenPair) -> bool:
    return selectors.principal_of(family=family_of(pair)) is not None


def test_a_session_opens_by_address_or_username() -> None:
    joe = UserFactory()
    for identifier in (joe.email, joe.email.upper(), joe.username, joe.username.lower()):
        pair = services.session_open(identifier=identifier, password=PASSWORD)
        assert selectors.principal_of(family=family_of(pair)) == Principal(pk=joe.pk, uid=joe.uid)


def test_wrong_unknown_and_inactive_are_refused_alike() -> None:
    joe, gone = UserFactory(), UserFactory(is_active=False)
    refusals = []
    for identifier, password in ((joe.email, "x"), ("no@x.org", "x"), (gone.email, PASSWORD)):
        with pytest.raises(InvalidCredentials) as refused:
            services.session_open(identifier=identifier, password=password)
        refusals.append((refused.value.code, refused.value.detail, refused.value.extra))
    assert len(set(map(str, refusals))) == 1


def test_an_inactive_user_gets_no_session() -> None:
    with pytest.raises(InvalidCredentials):
        start(UserFactory(is_active=False))


def test_a_refresh_gives_a_new_pair_of_the_same_family() -> None:
    first = start()
    second = services.session_refresh(refresh=first.refresh)
    assert family_of(second) == family_of(first)
    assert second.refresh != first.refresh
    assert services.session_refresh(refresh=second.refresh)


def test_a_reused_refresh_token_ends_the_whole_family() -> None:
    first = start()
    second = services.session_refresh(refresh=first.refresh)
    with pytest.raises(TokenReused):
        services.session_refresh(refresh=first.refresh)
    assert not lives(second)
    with pytest.raises(TokenRevoked):
        services.session_refresh(refresh=second.refresh)
    with pytest.raises(TokenReused):
        services.session_refresh(refresh=first.refresh)
    assert RefreshFamily.objects.get().revoked_reason == "reused"


def test_a_reuse_leaves_the_users_other_sessions_alone() -> None:
    joe = UserFactory()
    other, first = start(joe), start(joe)
    services.session_refresh(refresh=first.refresh)
    with pytest.raises(TokenReused):
        services.session_refresh(refresh=first.refresh)
    assert lives(other)


def test_signing_out_ends_refresh_and_access_and_may_be_repeated() -> None:
    pair = start()
    assert lives(pair)
    services.session_close(refresh=pair.refresh)
    services.session_close(refresh=pair.refresh)
    assert not lives(pair)
    with pytest.raises(TokenRevoked):
        services.session_refresh(refresh=pair.refresh)
    assert RefreshFamily.objects.get().revoked_reason == "logout"


def test_an_older_refresh_token_of_the_family_can_sign_out_too() -> None:
    first = start()
    second = services.session_refresh(refresh=first.refresh)
    services.session_close(refresh=first.refresh)
    assert not lives(second)


def test_an_access_token_neither_refreshes_nor_signs_out() -> None:
    pair = start()
    for call in (services.session_refresh, services.session_close):
        with pytest.raises(TokenNotValid):
            call(refresh=pair.access)
    assert lives(pair)


def test_an_expired_refresh_token_is_refused(settings: Any) -> None:
    settings.REFRESH_TOKEN_LIFETIME = timedelta(seconds=-1)
    with pytest.raises(TokenExpired):
        services.session_refresh(refresh=start().refresh)


def test_the_databases_clock_ends_a_family_too() -> None:
    pair = start()
    RefreshFamily.objects.update(expires_at=Now() - timedelta(seconds=1))
    assert not lives(pair)
    with pytest.raises(TokenRevoked):
        services.session_refresh(refresh=pair.refresh)


def test_a_family_whose_row_is_gone_is_dead() -> None:
    pair = start()
    RefreshFamily.objects.all().delete()
    assert not lives(pair)
    with pytest.raises(TokenRevoked):
        services.session_refresh(refresh=pair.refresh)


def test_a_user_made_inactive_behind_the_services_gets_no_refresh() -> None:
    pair = start()
    User.objects.update(is_active=False)
    assert not lives(pair)
    with pytest.raises(TokenRevoked):
        services.session_refresh(refresh=pair.refresh)


def test_verify_takes_what_could_be_used_now_and_changes_nothing() -> None:
    first = start()
    second = services.session_refresh(refresh=first.refresh)
    for token in (first.access, second.access, second.refresh):
        services.session_verify(token=token)
    with pytest.raises(TokenRevoked):
        services.session_verify(token=first.refresh)
    assert lives(second)
    services.session_close(refresh=second.refresh)
    for token in (first.access, second.access, second.refresh):
        with pytest.raises(TokenRevoked):
            services.session_verify(token=token)


def test_a_known_family_costs_no_query(django_assert_num_queries: Callable[[int], Any]) -> None:
    pair = start()
    with django_assert_num_queries(1):
        assert lives(pair)
    with django_assert_num_queries(0):
        assert lives(pair)


@pytest.mark.django_db(transaction=True)
def test_a_dead_family_costs_no_query(django_assert_num_queries: Callable[[int], Any]) -> None:
    pair = start()
    services.session_close(refresh=pair.refresh)
    with django_assert_num_queries(0):
        assert not lives(pair)


@pytest.mark.django_db(transaction=True)
def test_a_lost_cache_brings_no_dead_family_back() -> None:
    dead, alive = start(), start()
    services.session_close(refresh=dead.refresh)
    cache.clear()
    assert (lives(dead), lives(alive)) == (False, True)


def _revoked_during_a_read(monkeypatch: pytest.MonkeyPatch) -> bool:
    """A reader asks the database; before it writes the cache, the family is revoked."""
    pair = start()
    stored = selectors.principal_stored

    def overtaken(*, family: UUID) -> Principal | None:
        found = stored(family=family)
        services.session_close(refresh=pair.refresh)
        return found

    with monkeypatch.context() as patch:
        patch.setattr(selectors, "principal_stored", overtaken)
        lives(pair)
    return lives(pair)


@pytest.mark.django_db(transaction=True)
def test_a_reader_overtaken_by_a_revocation_does_not_revive_the_family(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert not _revoked_during_a_read(monkeypatch)


@pytest.mark.django_db(transaction=True)
def test_control_where_a_revocation_only_clears_the_key_the_reader_revives_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def clear(families: Any) -> None:
        cache.delete_many([f"fam:{family}" for family in families])

    monkeypatch.setattr(store, "bury", clear)
    monkeypatch.setattr(store, "doubt", clear)
    assert _revoked_during_a_read(monkeypatch)


@pytest.mark.django_db(transaction=True)
def test_control_where_readers_overwrite_the_mark_the_family_is_revived(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cache, "add", cache.set, raising=False)
    assert _revoked_during_a_read(monkeypatch)


def _dies_after_the_commit(monkeypatch: pytest.MonkeyPatch) -> bool:
    pair = start()
    assert lives(pair)
    monkeypatch.setattr(store, "bury", lambda families: None)
    services.session_close(refresh=pair.refresh)
    return lives(pair)


@pytest.mark.django_db(transaction=True)
def test_a_process_that_dies_after_its_commit_leaves_no_live_entry(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert not _dies_after_the_commit(monkeypatch)


@pytest.mark.django_db(transaction=True)
def test_control_without_the_doubt_such_a_process_leaves_the_family_alive(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(store, "doubt", lambda families: None)
    assert _dies_after_the_commit(monkeypatch)


@pytest.mark.django_db(transaction=True)
def test_a_revocation_that_is_rolled_back_leaves_the_family_alive() -> None:
    pair = start()
    with transaction.atomic():
        services.session_close(refresh=pair.refresh)
        transaction.set_rollback(True)
    assert lives(pair)
    assert services.session_refresh(refresh=pair.refresh)


def test_no_token_is_kept_in_the_database() -> None:
    pair = start()
    row = RefreshFamily.objects.values().get()
    jti = tokens.read(pair.refresh, "refresh").jti
    assert not {pair.access, pair.refresh, jti} & {str(value) for value in row.values()}


def test_a_revocation_without_a_reason_is_refused_by_the_database() -> None:
    start()
    with pytest.raises(IntegrityError), transaction.atomic():
        RefreshFamily.objects.update(revoked_at=Now())


def test_families_are_forgotten_a_day_after_their_end_in_batches(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(services, "FORGET_BATCH", 2)
    joe = UserFactory()
    kept = [family_of(start(joe)) for _ in range(2)]
    RefreshFamily.objects.filter(uid=kept[0]).update(expires_at=Now() - timedelta(hours=23))
    old = [family_of(start(joe)) for _ in range(5)]
    RefreshFamily.objects.filter(uid__in=old).update(expires_at=Now() - timedelta(hours=25))
    assert tasks.forget_expired() == 5
    assert tasks.forget_expired() == 0
    assert set(RefreshFamily.objects.values_list("uid", flat=True)) == set(kept)


def test_sessions_of_browsers_are_forgotten_once_they_have_expired(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(services, "FORGET_BATCH", 2)
    for number in range(6):
        left = timedelta(hours=1 if number == 0 else -1)
        Session.objects.create(
            session_key=f"{number:032}", session_data="", expire_date=clock.now() + left
        )
    assert tasks.forget_browsers() == 5
    assert Session.objects.get().session_key == f"{0:032}"

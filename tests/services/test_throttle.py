"""Attempts are counted, slowed and forgotten: with Redis, in one process, and with Redis down."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import time_machine
from django.core.cache import cache

from accounts.throttling import services, store
from common.errors import Busy, TooManyRequests, Unauthorized

HOME, CAFE = "192.0.2.1", "198.51.100.1"
# As in the embedded settings: of 300 entries, the default, marks and counters get lost.
LOCAL = {
    "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
    "LOCATION": "own",
    "OPTIONS": {"MAX_ENTRIES": 100_000},
}
DOWN = {
    "BACKEND": "django_redis.cache.RedisCache",
    "LOCATION": "redis://127.0.0.1:1/0",
    "OPTIONS": {"IGNORE_EXCEPTIONS": True, "SOCKET_CONNECT_TIMEOUT": 1},
}


@pytest.fixture(autouse=True)
def _limits(settings: Any) -> Iterator[None]:
    """Few attempts, and the beginning of a window, so that no test crosses its end."""
    limits = {"window": 900, "address": 40, "pair": 4, "account": 10}
    settings.ACCOUNT_THROTTLES = {"sign_in": limits, "link": {"window": 900, "address": 4}}
    store._OWN.clear()
    with time_machine.travel(time.time() // 900 * 900 + 5):
        yield
    store._OWN.clear()


@pytest.fixture(params=["as configured", "in the process"])
def _cache(request: pytest.FixtureRequest, settings: Any) -> None:
    if request.param == "in the process":
        settings.CACHES = {"default": LOCAL}
        cache.clear()


def failed(address: str = HOME, account: str = "joe@x.org", scope: str = "sign_in") -> int:
    """A failed attempt; how long the caller is told to wait, 0 where it was let through."""
    try:
        with services.attempt(scope, account=account, address=address):
            raise Unauthorized
    except TooManyRequests as error:
        return error.retry_after or -1
    except Unauthorized:
        return 0


def signed_in(address: str = HOME, account: str = "joe@x.org") -> bool:
    try:
        with services.attempt("sign_in", account=account, address=address):
            return True
    except TooManyRequests:
        return False


def from_everywhere(count: int, account: str = "joe@x.org") -> list[int]:
    return [failed(f"203.0.113.{number}", account) for number in range(count)]


@pytest.mark.usefixtures("_cache")
class TestCounting:
    def test_a_few_failures_then_the_rest_of_the_window(self) -> None:
        assert [failed() for _ in range(4)] == [0] * 4
        assert 890 <= failed() <= 895
        assert not signed_in()

    def test_the_windows_end_lets_in_again(self) -> None:
        assert [failed() for _ in range(5)][-1]
        with time_machine.travel(time.time() + 900):
            assert signed_in()

    def test_other_accounts_and_other_addresses_are_not_concerned(self) -> None:
        assert [failed() for _ in range(5)][-1]
        assert signed_in(account="ann@x.org")
        assert signed_in(address=CAFE)

    def test_a_success_gives_its_count_back(self) -> None:
        assert [failed() for _ in range(3)] == [0] * 3
        assert all(signed_in() for _ in range(50))
        assert failed() == 0
        assert failed()

    def test_a_failure_of_ours_is_not_the_callers(self) -> None:
        for error in (Busy(), ValueError()):
            for _ in range(10):
                with pytest.raises(type(error)), services.attempt("sign_in", address=HOME):
                    raise error
        assert signed_in()

    def test_one_address_that_tries_many_accounts_is_stopped(self) -> None:
        assert not any(failed(account=f"{number}@x.org") for number in range(40))
        assert failed(account="next@x.org")
        assert signed_in(CAFE, "next@x.org")

    def test_a_whole_ipv6_network_is_one_address(self) -> None:
        assert [failed(f"2001:db8::{number}") for number in range(5)][-1]

    def test_parallel_attempts_all_count(self) -> None:
        with ThreadPoolExecutor(20) as pool:
            waits = list(pool.map(lambda _: failed(), range(40)))
        assert waits.count(0) == 4

    def test_counted_attempts_count_whatever_comes_of_them(self) -> None:
        for _ in range(4):
            services.count("link", address=HOME)
        with pytest.raises(TooManyRequests):
            services.count("link", address=HOME)

    def test_the_factor_multiplies(self, settings: Any) -> None:
        settings.THROTTLE_FACTOR = 2.0
        assert [failed() for _ in range(9)].index(895) == 8


@pytest.mark.usefixtures("_cache")
class TestTheOwner:
    def test_many_addresses_on_one_account_have_to_wait_longer_and_longer(self) -> None:
        assert from_everywhere(10) == [0] * 10
        assert failed(CAFE) == 2

    def test_a_known_address_goes_on_while_the_account_is_under_attack(self) -> None:
        assert signed_in(HOME)
        assert from_everywhere(200)[-1]
        assert signed_in(HOME)

    def test_a_strange_address_that_waits_is_let_in(self) -> None:
        from_everywhere(200)
        seconds = failed(CAFE)
        assert 0 < seconds <= 60
        with time_machine.travel(time.time() + seconds + 1):
            from_everywhere(5)
            assert signed_in(CAFE)

    def test_asking_too_early_makes_the_wait_no_longer(self) -> None:
        from_everywhere(200)
        seconds = failed(CAFE)
        assert all(failed(CAFE) <= seconds for _ in range(20))
        with time_machine.travel(time.time() + seconds + 1):
            assert signed_in(CAFE)

    def test_each_turn_is_for_one_attempt(self) -> None:
        from_everywhere(200)
        seconds = failed(CAFE)
        with time_machine.travel(time.time() + seconds + 1):
            assert failed(CAFE) == 0
            assert failed(CAFE) > 0

    def test_of_parallel_attempts_one_has_the_turn(self) -> None:
        from_everywhere(200)
        seconds = failed(CAFE)
        with (
            time_machine.travel(time.time() + seconds + 1, tick=False),
            ThreadPoolExecutor(20) as pool,
        ):
            assert list(pool.map(lambda _: failed(CAFE), range(20))).count(0) == 1

    def test_a_late_caller_does_not_use_up_the_turn_after_its_own(self) -> None:
        counters = store.Counters()
        counters.put("turn", 1.0, 60)
        assert counters.take("turn", 1.0)
        counters.put("turn", 2.0, 60)
        assert not counters.take("turn", 1.0)
        assert counters.take("turn", 2.0)

    def test_another_proof_opens_the_address_again(self) -> None:
        assert [failed() for _ in range(5)][-1]
        services.trust(account="joe@x.org", address=HOME)
        assert signed_in()


def test_control_without_the_known_address_the_owner_waits_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(store, "know", lambda account, address: None)
    assert signed_in(HOME)
    from_everywhere(200)
    assert not signed_in(HOME)


def test_control_without_the_count_before_the_attempt_nothing_is_limited(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(store.Counters, "up", lambda self, key, ttl: 1)
    assert [failed() for _ in range(50)] == [0] * 50


def test_without_redis_each_process_counts_and_lets_half_as_many_through(settings: Any) -> None:
    settings.CACHES = {"default": DOWN}
    assert [failed() for _ in range(2)] == [0] * 2
    assert failed() > 60
    assert signed_in(CAFE)


def test_without_redis_a_strange_address_that_waits_is_let_in(settings: Any) -> None:
    settings.CACHES = {"default": DOWN}
    assert from_everywhere(6)[-1]
    seconds = failed(CAFE)
    with time_machine.travel(time.time() + seconds + 1):
        assert signed_in(CAFE)


def test_a_cache_that_comes_back_counts_again(settings: Any) -> None:
    settings.CACHES = {"default": DOWN}
    assert [failed() for _ in range(3)][-1]
    settings.CACHES = {"default": LOCAL}
    cache.clear()
    assert [failed() for _ in range(4)] == [0] * 4

"""Redis behind a network that goes wrong, with the controls that lack the breaker."""

import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any
from unittest.mock import patch
from urllib.parse import urlsplit

import pytest
from django.conf import settings as django_settings
from django.core.cache import cache

from accounts.sessions import selectors, services, tokens
from accounts.sessions import store as sessions
from common.cache.store import OPEN_SECONDS, Breaker
from config import invariants
from config.settings.servers import redis_cache
from tests.factories.shop import ProductFactory
from tests.factories.users import UserFactory, client_for
from tests.faults.proxy import NORMAL, Fault, Kind, Proxy, timed
from tests.races.parallel import post_order, quiet
from tests.sizes import LOOSE

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.timeout(900),
    # Of the seconds measured none is to be a wait for a Stripe that is not there.
    pytest.mark.usefixtures("sandbox"),
]

SILENT = [Fault(Kind.DROP), Fault(Kind.HALF_OPEN)]
# Of the settings: SOCKET_TIMEOUT.
WAIT = 1


def kind_of(value: Any) -> str:
    return value.kind.name.lower() if isinstance(value, Fault) else value.__name__


@pytest.fixture
def redis_proxy(settings: Any) -> Iterator[Proxy]:
    """The cache of the tests, through a proxy."""
    location = django_settings.CACHES["default"]["LOCATION"]
    parts = urlsplit(location)
    with Proxy(str(parts.hostname), int(parts.port or 6379)) as proxy:
        there = parts._replace(netloc=f"127.0.0.1:{proxy.port}").geturl()
        settings.CACHES = {"default": redis_cache(there)}
        settings.RATE_LIMIT_FACTOR = 1
        yield proxy
        proxy.set(NORMAL)


@pytest.fixture
def no_breaker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Breaker, "_may_try", lambda self, now: True)


def catalogue() -> Callable[[], Any]:
    client = quiet(client_for(UserFactory()))
    return lambda: client.get("/api/v1/products/")


def order() -> Callable[[], Any]:
    product = ProductFactory(stock=5)
    client = quiet(client_for(UserFactory()))
    return lambda: post_order(client, {product.slug: 1})


def twice_in_silence(proxy: Proxy, make: Callable[[], Any], fault: Fault) -> tuple[float, float]:
    """The seconds of two requests that Redis does not answer, one right after the other."""
    request = make()
    proxy.set(fault)
    (first, waited), (second, again) = timed(request), timed(request)
    print(f"{kind_of(make)}, {kind_of(fault)}: {waited:.2f} s, then {again:.2f} s")
    assert {first.status_code, second.status_code} <= {200, 201}
    return waited, again


def seconds_until_the_cache_is_used() -> float:
    client = quiet(client_for(UserFactory()))
    started = time.monotonic()
    while not client.get("/readyz").json()["checks"]["cache"]:
        assert time.monotonic() < started + 10 * LOOSE, "the cache is not used again"
        time.sleep(0.05)
    return time.monotonic() - started


@pytest.mark.proof(
    "Redis falls silent",
    size="2 requests",
    control="test_control_without_the_breaker_every_call_waits",
)
@pytest.mark.parametrize("fault", SILENT, ids=kind_of)
@pytest.mark.parametrize("make", [catalogue, order], ids=kind_of)
def test_a_silent_redis_is_waited_for_once(
    redis_proxy: Proxy, make: Callable[[], Any], fault: Fault
) -> None:
    waited, again = twice_in_silence(redis_proxy, make, fault)
    assert waited < (WAIT + 1.5) * LOOSE
    assert again < WAIT * LOOSE
    redis_proxy.set(NORMAL)
    assert seconds_until_the_cache_is_used() < (OPEN_SECONDS + 1) * LOOSE
    assert invariants.breaches() == []


@pytest.mark.usefixtures("no_breaker")
@pytest.mark.parametrize("make", [catalogue, order], ids=kind_of)
def test_control_without_the_breaker_every_call_waits(
    redis_proxy: Proxy, make: Callable[[], Any]
) -> None:
    waited, again = twice_in_silence(redis_proxy, make, Fault(Kind.DROP))
    assert min(waited, again) > 2 * WAIT


@pytest.mark.parametrize("fault", [Fault(Kind.DELAY, seconds=0.1), Fault(Kind.RESET)], ids=kind_of)
def test_the_shop_sells_with_a_slow_redis_and_with_one_that_hangs_up(
    redis_proxy: Proxy, fault: Fault
) -> None:
    for make in (catalogue, order):
        waited, again = twice_in_silence(redis_proxy, make, fault)
        assert max(waited, again) < 4 * LOOSE
    assert invariants.breaches() == []


def lives_when_revoked_just_after_a_silence(proxy: Proxy) -> bool:
    """Whether a family lives on that was revoked when Redis was back and the breaker still open."""
    breaker = cache.client.get_client().connection_pool.breaker
    pair = services.session_start(user_id=UserFactory().pk)
    family = tokens.read(pair.refresh, tokens.REFRESH).family
    assert selectors.principal_of(family=family)
    proxy.set(SILENT[0])
    cache.get("waits, and opens the breaker")
    proxy.set(NORMAL)
    with patch.object(breaker, "_may_try", return_value=False):
        services.session_close(refresh=pair.refresh)
    seconds_until_the_cache_is_used()
    return selectors.principal_of(family=family) is not None


def test_a_revocation_is_marked_while_the_breaker_is_open(redis_proxy: Proxy) -> None:
    assert not lives_when_revoked_just_after_a_silence(redis_proxy)


def test_control_a_mark_that_the_breaker_skips_leaves_the_family_alive(
    redis_proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "insisting", nullcontext)
    assert lives_when_revoked_just_after_a_silence(redis_proxy)

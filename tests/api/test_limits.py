"""Limits over HTTP: by user, by address, with Redis and without."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from redis.exceptions import ConnectionError as RedisIsAway
from rest_framework.test import APIClient

from common.limits import store
from tests.factories.users import UserFactory, client_for

pytestmark = pytest.mark.django_db

PRODUCTS = "/api/v1/products/"
ORDERS = "/api/v1/orders/"


@pytest.fixture(autouse=True)
def _small(settings: Any) -> Iterator[None]:
    settings.RATE_LIMIT_FACTOR = 1
    settings.RATE_LIMITS = {
        "reads": {"user": 3, "address": 8},
        "writes": {"user": 2, "address": 8},
        "money": {"user": 1, "address": 8},
        "hooks": {"address": 4},
    }
    store.local.clear()
    yield
    store.local.clear()


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> Any:
        raise RedisIsAway

    monkeypatch.setattr(store, "is_shared", lambda: True)
    monkeypatch.setattr(store, "count_shared", refuse)


def statuses(client: Any, path: str, times: int, **extra: Any) -> list[int]:
    return [client.get(path, **extra).status_code for _ in range(times)]


def test_a_user_has_a_limit_and_is_told_of_it(api: APIClient) -> None:
    first = api.get(ORDERS)
    assert first.status_code == 200
    assert (first["RateLimit-Limit"], first["RateLimit-Remaining"]) == ("3", "2")
    assert 1 <= int(first["RateLimit-Reset"]) <= 60
    assert statuses(api, ORDERS, 2) == [200, 200]
    refused = api.get(ORDERS)
    assert refused.status_code == 429
    assert refused["Content-Type"] == "application/problem+json"
    assert refused.json()["code"] == "throttled"
    assert refused["RateLimit-Remaining"] == "0"
    assert 1 <= int(refused["Retry-After"]) <= 60


def test_another_user_and_another_scope_go_on(api: APIClient) -> None:
    assert statuses(api, ORDERS, 4)[-1] == 429
    assert client_for(UserFactory()).get(ORDERS).status_code == 200
    assert api.patch("/api/v1/auth/me/", {"name": "N"}, format="json").status_code == 200


def test_routes_that_take_a_key_have_the_scope_of_money(api: APIClient) -> None:
    assert api.post(ORDERS, {}, format="json").status_code == 400
    assert api.post(ORDERS, {}, format="json").status_code == 429


def test_an_address_has_a_limit_whoever_asks_from_it() -> None:
    assert statuses(Client(), PRODUCTS, 9) == [200] * 8 + [429]
    assert client_for(UserFactory()).get(PRODUCTS).status_code == 429
    assert Client().get(PRODUCTS, REMOTE_ADDR="198.51.100.7").status_code == 200


@pytest.mark.parametrize("path", [ORDERS, "/api/v1/admin/orders/", "/admin/login/", "/api/schema/"])
def test_what_is_refused_counts_as_well(settings: Any, path: str) -> None:
    settings.RATE_LIMITS["reads"]["address"] = 2
    bad = {"headers": {"Authorization": "Bearer no-token"}}
    found = statuses(Client(), path, 3, **bad)
    assert found[-1] == 429
    assert 429 not in found[:2]


def test_a_made_up_forwarded_address_buys_nothing(settings: Any) -> None:
    settings.RATE_LIMITS["reads"]["address"] = 2
    found = [
        Client().get(PRODUCTS, headers={"X-Forwarded-For": f"198.51.100.{n}"}).status_code
        for n in range(3)
    ]
    assert found == [200, 200, 429]


def test_behind_a_trusted_proxy_each_client_counts_for_itself(settings: Any) -> None:
    settings.TRUSTED_PROXIES = ["127.0.0.1"]
    settings.RATE_LIMITS["reads"]["address"] = 2
    found = [
        Client().get(PRODUCTS, headers={"X-Forwarded-For": f"198.51.100.{n}"}).status_code
        for n in range(3)
    ]
    assert found == [200] * 3


def test_providers_have_their_own(settings: Any) -> None:
    found = [Client().post("/webhooks/stripe/").status_code for _ in range(5)]
    assert found == [400] * 4 + [429]


def test_probes_are_never_refused() -> None:
    found = [Client().get("/livez") for _ in range(20)]
    assert {answer.status_code for answer in found} == {200}
    assert "RateLimit-Limit" not in found[-1]


def test_without_redis_each_process_counts_more_strictly(away: None) -> None:
    assert statuses(Client(), PRODUCTS, 3) == [200, 200, 429]
    assert Client().get(PRODUCTS)["RateLimit-Limit"] == "2"


def test_parallel_requests_lose_no_count_in_redis() -> None:
    assert store.is_shared(), "needs Redis: make test"
    threads = [
        threading.Thread(target=lambda: [store.count("p", 60) for _ in range(25)])
        for _ in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    used, left, shared = store.count("p", 60)
    assert (used, shared) == (501, True)
    assert 50 < left <= 60
    assert cache.ttl("limit:p") > 0

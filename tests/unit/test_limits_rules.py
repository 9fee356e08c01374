"""Scopes, windows and what the OpenAPI document says of them; nothing here needs a server."""

import threading
from typing import Any

import pytest
from django.urls import get_resolver
from drf_spectacular.generators import SchemaGenerator

from common.api.throttles import UserLimit
from common.limits import rules, services, store
from common.limits.rules import Count, scope_of


@pytest.fixture(autouse=True)
def _fresh() -> None:
    store.local.clear()


@pytest.mark.parametrize(
    ("path", "method", "keyed", "scope"),
    [
        ("/api/v1/products/", "GET", False, "reads"),
        ("/api/v1/products/", "HEAD", False, "reads"),
        ("/api/v1/auth/me/", "PATCH", False, "writes"),
        ("/api/v1/orders/", "POST", True, "money"),
        ("/webhooks/stripe/", "POST", False, "hooks"),
        ("/admin/login/", "POST", False, "writes"),
        ("/livez", "GET", False, None),
    ],
)
def test_a_route_finds_its_scope(path: str, method: str, *, keyed: bool, scope: str | None) -> None:
    assert scope_of(path, method, keyed=keyed) == scope


def test_the_count_that_refuses_first_is_told() -> None:
    near, far = Count(10, 9, 30), Count(100, 9, 30)
    assert rules.tightest([far, near]) == near
    assert Count(10, 11, 30).refused
    assert Count(10, 11, 30).remaining == 0
    assert not Count(10, 10, 30).refused


def test_a_window_ends() -> None:
    now = [0.0]
    counters = store.LocalCounters(clock=lambda: now[0])
    assert [counters.count("a", 60)[0] for _ in range(3)] == [1, 2, 3]
    now[0] = 59.9
    assert counters.count("a", 60) == (4, pytest.approx(0.1))
    now[0] = 60.0
    assert counters.count("a", 60) == (1, 60)
    assert counters.count("b", 60)[0] == 1


def test_threads_lose_no_count() -> None:
    counters = store.LocalCounters()
    threads = [
        threading.Thread(target=lambda: [counters.count("a", 60) for _ in range(500)])
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counters.count("a", 60)[0] == 4001


def test_counters_do_not_grow_for_ever() -> None:
    counters = store.LocalCounters()
    for number in range(store.MAX_COUNTERS + 10):
        counters.count(str(number), 60)
    assert len(counters._counters) <= store.MAX_COUNTERS


def test_the_factor_multiplies_and_lifts(settings: Any) -> None:
    settings.RATE_LIMITS = {"reads": {"user": 10}}
    settings.RATE_LIMIT_FACTOR = 2.5
    assert services.limit_of("reads", "user") == 25
    assert services.limit_of("reads", "address") == 0
    settings.RATE_LIMIT_FACTOR = 0
    assert services.spend("reads", "user", "1") is None


def _api_views(patterns: Any) -> Any:
    for pattern in patterns:
        if hasattr(pattern, "url_patterns"):
            yield from _api_views(pattern.url_patterns)
        elif hasattr(pattern.callback, "view_class"):
            yield pattern.callback.view_class


def test_no_view_escapes_the_users_limit() -> None:
    views = [v for v in _api_views(get_resolver().url_patterns) if hasattr(v, "throttle_classes")]
    assert len(views) > 20
    assert [view for view in views if UserLimit not in view.throttle_classes] == []


def test_every_operation_documents_its_limit(settings: Any) -> None:
    settings.RATE_LIMIT_FACTOR = 1
    schema = SchemaGenerator().get_schema(public=True)
    told = {
        (path, method): operation["responses"]
        for path, item in schema["paths"].items()
        for method, operation in item.items()
        if method in {"get", "post", "put", "patch", "delete"}
    }
    assert len(told) > 30
    for responses in told.values():
        assert {"Retry-After", "RateLimit-Limit"} <= set(responses["429"]["headers"])
        for response in responses.values():
            assert {"RateLimit-Remaining", "RateLimit-Reset"} <= set(response["headers"])
    money = told["/api/v1/orders/", "post"]["429"]["description"]
    assert money == "Too many requests. In 60 seconds, requests: 120 by user, 600 by address."

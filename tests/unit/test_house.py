"""The rules of docs/architecture.md that no linter knows."""

import ast
import functools
import re
import statistics
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from django.test import Client
from django.urls import URLPattern, get_resolver
from django.urls.resolvers import RegexPattern, RoutePattern
from django.utils.regex_helper import normalize

ROOT = Path(__file__).resolve().parents[2]
FOREIGN = {".venv", ".cache", "var", "staticfiles", "media", "node_modules"}
MOST_LINES = 400
MEDIAN_LINES = 10

PUBLIC = {
    "",
    "account/register/",
    "account/sign-in/",
    "account/sign-out/",
    "flash/<slug:slug>/",
    "flash/<slug:slug>/buy/",
    "flash/<slug:slug>/queue/",
    "language/",
    "p/<slug:slug>/",
    "p/<slug:slug>/buy/",
    "products/",
    "livez",
    "readyz",
    "metrics",
    "account/reset/",
    "account/verify/",
    "admin/login/",
    "api/docs/",
    "api/redoc/",
    "api/schema/",
    "redoc/",
    "swagger/",
    "media/<path:path>",
    "pay/<uuid:uid>/",
    "pay/<uuid:uid>/card/",
    "pay/<uuid:uid>/state/",
    "mockchain/",
    "webhooks/stripe/",
    "api/v1/auth/register/",
    "api/v1/auth/token/",
    "api/v1/auth/token/refresh/",
    "api/v1/auth/token/verify/",
    "api/v1/auth/logout/",
    "api/v1/auth/password/reset/",
    "api/v1/auth/password/reset/confirm/",
    "api/v1/auth/email/verify/",
    "api/v1/categories/",
    "api/v1/dashboard/",
    "api/v1/flash-sales/",
    "api/v1/flash-sales/<slug:slug>/",
    "api/v1/flash-sales/<slug:slug>/leaderboard/",
    "api/v1/flash-sales/<slug:slug>/stock/",
    "api/v1/flash-sales/<slug:slug>/stream/",
    "api/v1/market/coins/",
    "api/v1/market/deviation/",
    "api/v1/market/history/",
    "api/v1/market/stats/",
    "api/v1/market/stream/",
    "api/v1/products/",
    "api/v1/products/<slug:slug>/",
    "api/v1/tokens/",
    "api/deviation",
    "api/stats",
}

WITHOUT_KEY = {
    # A multipart body has no canonical form to compare, and the same picture twice is one picture.
    "api/v1/admin/products/<slug:slug>/image/",
    # A user has one place, however often it is asked for.
    "api/v1/flash-sales/<slug:slug>/queue/",
}

# Credentials make no object; Stripe has event ids; a browser's form cannot send the header.
NEVER_KEYED = ("api/v1/auth/", "webhooks/", "admin/")

SIGN_IN = ("/admin/", "/account/sign-in/?next=%2F")

SAMPLES = {"uuid": str(uuid.UUID(int=1)), "int": "1"}


class Route(NamedTuple):
    route: str
    path: str
    view: Any

    @property
    def methods(self) -> list[str]:
        """What a class view implements; a function view may take anything."""
        view_class = getattr(self.view, "view_class", None)
        names = view_class.http_method_names if view_class else ["get", "post"]
        found = [n for n in names if view_class is None or hasattr(view_class, n)]
        return [name for name in found if name != "options"]


def _routes(patterns: list[Any], route: str = "", path: str = "") -> Iterator[Route]:
    for pattern in patterns:
        here = route + str(pattern.pattern), path + _sample(pattern.pattern)
        if isinstance(pattern, URLPattern):
            yield Route(*here, pattern.callback)
        else:
            yield from _routes(pattern.url_patterns, *here)


def _sample(pattern: RoutePattern | RegexPattern) -> str:
    """A path that the pattern matches."""
    if isinstance(pattern, RegexPattern):
        template, names = normalize(str(pattern))[0]
        return template % dict.fromkeys(names, "shop")
    return re.sub(r"<(\w+):\w+>", lambda found: SAMPLES.get(found[1], "x"), str(pattern))


ROUTES = list(_routes(get_resolver().url_patterns))
GUARDED = [r for r in ROUTES if r.route not in PUBLIC]
CLIENT = Client()


@functools.cache
def _files() -> list[Path]:
    tops = [top for top in ROOT.iterdir() if top.name not in FOREIGN]
    found = (path for top in tops for path in [top, *top.rglob("*.py")] if path.suffix == ".py")
    ours = (path.relative_to(ROOT) for path in found)
    return [path for path in ours if {"migrations", *FOREIGN}.isdisjoint(path.parts)]


def _lengths(path: Path) -> Iterator[int]:
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield (node.end_lineno or node.lineno) - node.lineno + 1


def test_no_file_is_longer_than_400_lines() -> None:
    lines = {str(path): (ROOT / path).read_text().count("\n") for path in _files()}
    assert {path: count for path, count in lines.items() if count > MOST_LINES} == {}


@pytest.mark.parametrize("tests", [False, True], ids=["code", "tests"])
def test_half_of_all_functions_have_fewer_than_10_lines(*, tests: bool) -> None:
    files = [path for path in _files() if (path.parts[0] == "tests") is tests]
    lengths = [length for path in files for length in _lengths(path)]
    assert statistics.median(lengths) < MEDIAN_LINES


def test_declared_routes_exist() -> None:
    assert {*PUBLIC, *WITHOUT_KEY} - {route.route for route in ROUTES} == set()


def test_api_views_are_classes() -> None:
    api = [route for route in ROUTES if route.route.startswith("api/")]
    assert [route.route for route in api if not hasattr(route.view, "view_class")] == []


def _wants_key(route: Route) -> bool:
    view_class = getattr(route.view, "view_class", None)
    exempt = route.route.startswith(NEVER_KEYED) or route.route in WITHOUT_KEY
    return hasattr(view_class, "post") and not exempt


def test_every_post_honours_an_idempotency_key() -> None:
    posts = [route for route in ROUTES if _wants_key(route)]
    deaf = [r for r in posts if not hasattr(r.view.view_class.post, "honours_idempotency_key")]
    assert len(posts) > 5
    assert [route.route for route in deaf] == []


@pytest.mark.parametrize("route", GUARDED, ids=[route.route for route in GUARDED])
def test_a_view_that_is_not_declared_public_denies_strangers(route: Route) -> None:
    """Without the `django_db` mark any query fails: the denial comes before everything else."""
    assert route.methods
    for method in route.methods:
        answer = CLIENT.generic(method.upper(), f"/{route.path}")
        sent_to_sign_in = answer.status_code == 302 and answer["Location"].startswith(SIGN_IN)
        assert answer.status_code in (401, 403) or sent_to_sign_in, (method, answer)

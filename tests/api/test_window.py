"""The catalogue's pages of a moment ago: before Django for visitors, in the view for others."""

from collections.abc import Iterator
from typing import Any

import pytest
from rest_framework.test import APIClient

from common import shelf
from config.window import window
from shop.catalogue import services
from shop.inventory import services as inventory
from tests.factories.shop import ProductFactory
from tests.factories.users import UserFactory, client_for

LIST = "/api/v1/products/"
ETAG = 'W/"1"'


@pytest.fixture(autouse=True)
def _kept(settings: Any) -> Iterator[None]:
    settings.SHELF_SECONDS = 60
    shelf.forget()
    yield
    shelf.forget()


class Django:
    """What stands behind the window: counts how often it is asked."""

    def __init__(self, status: str = "200 OK", **headers: str) -> None:
        self.status, self.calls = status, 0
        self.headers = {
            "Cache-Control": "public, no-cache",
            "ETag": ETAG,
            "Vary": "Accept, Authorization",
            "Content-Type": "application/json",
            "X-Request-ID": "django's",
            "RateLimit-Remaining": "7",
            **headers,
        }

    def __call__(self, environ: dict[str, Any], start: Any) -> list[bytes]:
        self.calls += 1
        assert "HTTP_IF_NONE_MATCH" not in environ or environ["PATH_INFO"] != LIST
        start(self.status, list(self.headers.items()))
        return [b"page ", str(self.calls).encode()]


def look(application: Any, **more: Any) -> tuple[str, dict[str, str], bytes]:
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": LIST,
        "QUERY_STRING": "page=1",
        "HTTP_HOST": "shop.example",
        "wsgi.url_scheme": "https",
        **more,
    }
    seen: list[Any] = []
    answer = window(application)(environ, lambda *parts: seen.extend(parts))
    return seen[0], dict(seen[1]), b"".join(answer)


def test_the_second_visitor_is_shown_what_the_first_was() -> None:
    django = Django()
    first, second = look(django), look(django)
    assert (django.calls, first[2], second[2]) == (1, b"page 1", b"page 1")
    assert first[1]["X-Request-ID"] == "django's" != second[1]["X-Request-ID"]
    assert first[1].pop("RateLimit-Remaining") == "7"
    ours = {"X-Request-ID": ""}
    assert {**first[1], **ours} == {**second[1], **ours}


def test_who_has_it_already_is_told_so() -> None:
    django = Django()
    for _ in range(2):
        status, headers, body = look(django, HTTP_IF_NONE_MATCH=f'"x", {ETAG}')
        assert (status, body, headers["ETag"]) == ("304 Not Modified", b"", ETAG)
        assert "Content-Type" not in headers
    assert look(django, HTTP_IF_NONE_MATCH='"x"')[2] == b"page 1"
    assert django.calls == 1


@pytest.mark.parametrize(
    "more",
    [
        {"HTTP_AUTHORIZATION": "Bearer x"},
        {"HTTP_COOKIE": "sessionid=x"},
        {"HTTP_ORIGIN": "https://elsewhere.example"},
        {"REQUEST_METHOD": "POST"},
        {"REQUEST_METHOD": "HEAD"},
        {"PATH_INFO": "/api/v1/wallet/"},
    ],
)
def test_everything_else_goes_on(more: dict[str, Any]) -> None:
    django = Django()
    look(django)
    assert look(django, **more)[2] == b"page 2"


@pytest.mark.parametrize(
    "more",
    [
        {"QUERY_STRING": "page=2"},
        {"HTTP_HOST": "other.example"},
        {"wsgi.url_scheme": "http"},
        {"HTTP_ACCEPT": "text/html"},
        {"HTTP_X_FORWARDED_PROTO": "http"},
    ],
)
def test_another_address_is_another_answer(more: dict[str, Any]) -> None:
    django = Django()
    look(django)
    assert look(django, **more)[2] == b"page 2"


@pytest.mark.parametrize(
    "django",
    [
        Django("400 Bad Request"),
        Django("302 Found"),
        Django(**{"Cache-Control": "private, no-cache"}),
        Django(**{"Vary": "Accept-Language"}),
        Django(**{"Set-Cookie": "a=b"}),
        # Kept behind the window already: its moment is running.
        Django(**{"Age": "0"}),
    ],
)
def test_what_is_not_the_same_for_everybody_is_not_kept(django: Django) -> None:
    look(django)
    status, _, body = look(django)
    assert (status, body) == (django.status, b"page 2")


def grow_old(seconds: float, *, claims: bool = False) -> None:
    for kept in shelf._KEPT.values():
        kept.made_at -= seconds
        kept.remade_at -= seconds if claims else 0


def test_when_its_moment_is_over_one_makes_it_anew_and_others_see_the_last() -> None:
    django = Django()
    look(django)
    grow_old(61, claims=True)
    (key,) = shelf._KEPT
    assert shelf.find(key) is None
    # Somebody is at it.
    assert look(django)[2] == b"page 1"
    # For too long: the last is too old to be shown.
    grow_old(60)
    assert look(django)[2] == b"page 2"


def test_control_without_the_claim_everybody_makes_it_anew() -> None:
    look(Django())
    (key,) = shelf._KEPT
    for _ in range(5):
        grow_old(61, claims=True)
        assert shelf.find(key) is None


def test_nothing_is_kept_where_it_is_switched_off(settings: Any) -> None:
    settings.SHELF_SECONDS = 0
    django = Django()
    assert [look(django)[2] for _ in range(2)] == [b"page 1", b"page 2"]


def test_what_was_read_before_a_change_is_not_kept() -> None:
    opened = shelf.opened()
    shelf.forget()
    shelf.keep("key", b"old", ETAG, opened=opened)
    assert shelf.find("key") is None


def test_control_without_looking_for_changes_it_is_kept() -> None:
    shelf.opened()
    shelf.forget()
    shelf.keep("key", b"old", ETAG, opened=shelf.opened())
    assert shelf.find("key") is not None


def test_it_does_not_grow_without_end() -> None:
    for number in range(shelf.MOST + 1):
        shelf.keep(number, b"", ETAG, opened=shelf.opened())
    assert len(shelf._KEPT) == 1


@pytest.mark.django_db
def test_a_page_is_made_once_for_all_who_are_signed_in(django_assert_num_queries: Any) -> None:
    ProductFactory(list_price=1000, discount_percent=50, discount_members_only=True, slug="mat")
    first, second = client_for(UserFactory()), client_for(UserFactory())
    before = first.get(f"{LIST}mat/")
    second.get("/api/v1/tokens/")
    with django_assert_num_queries(0):
        after = second.get(f"{LIST}mat/")
    assert after.json() == before.json()
    assert after["ETag"] == before["ETag"]
    assert ("Age" in before, after["Age"]) == (False, "0")
    assert after["Cache-Control"] == "private, no-cache"
    known = second.get(f"{LIST}mat/", HTTP_IF_NONE_MATCH=before["ETag"])
    assert (known.status_code, known.content) == (304, b"")
    # A visitor pays more.
    assert APIClient().get(f"{LIST}mat/").json()["price"] == "10.00"


@pytest.mark.django_db
def test_a_change_is_shown_with_its_commit(django_capture_on_commit_callbacks: Any) -> None:
    product = ProductFactory(list_price=1000, slug="mat")
    client = APIClient()
    assert client.get(f"{LIST}mat/").json()["price"] == "10.00"
    with django_capture_on_commit_callbacks(execute=True):
        services.product_update(slug="mat", changes={"list_price": 2000}, actor_id=None)
    assert client.get(f"{LIST}mat/").json()["price"] == "20.00"
    with django_capture_on_commit_callbacks(execute=True):
        inventory.stock_adjust(product_id=product.pk, to=7, reason="count", actor_id=None)
    assert client.get(f"{LIST}mat/").json()["available"] == 7

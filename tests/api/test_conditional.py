"""The catalogue is asked for again and again: an answer that has not changed is 304, and empty."""

from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from shop.models import Stock
from tests.factories.shop import CategoryFactory, ProductFactory

pytestmark = pytest.mark.django_db

PATHS = ["/api/v1/products/", "/api/v1/products/oak/", "/api/v1/categories/"]


@pytest.fixture(autouse=True)
def _oak() -> None:
    ProductFactory(
        slug="oak",
        stock=3,
        category=CategoryFactory(slug="wood"),
        discount_percent=10,
        discount_members_only=True,
    )


def again(client: Any, path: str, answer: Any, **headers: str) -> Any:
    return client.get(path, headers={"If-None-Match": answer["ETag"], **headers})


@pytest.mark.parametrize("path", PATHS)
def test_what_has_not_changed_is_304_without_a_body(path: str) -> None:
    first = Client().get(path)
    assert first["ETag"].startswith('W/"')
    assert first["Cache-Control"] == "public, no-cache"
    assert "Authorization" in first["Vary"]
    second = again(Client(), path, first)
    assert (second.status_code, second.content) == (304, b"")
    for name in ("ETag", "Cache-Control", "Vary"):
        assert second[name] == first[name]
    assert Client().get(path).json() == first.json()


@pytest.mark.parametrize("path", PATHS[:2])
def test_a_unit_less_in_stock_is_a_new_answer(path: str) -> None:
    first = Client().get(path)
    Stock.objects.filter(product__slug="oak").update(on_hand=2)
    second = again(Client(), path, first)
    assert second.status_code == 200
    assert second["ETag"] != first["ETag"]


def test_a_members_price_is_kept_apart(api: APIClient) -> None:
    visitor, member = Client().get(PATHS[1]), api.get(PATHS[1])
    assert member["Cache-Control"] == "private, no-cache"
    assert member["ETag"] != visitor["ETag"]
    assert again(api, PATHS[1], visitor).status_code == 200
    assert again(api, PATHS[1], member).status_code == 304


@pytest.mark.parametrize(
    ("tag", "status"), [("*", 304), ('W/"x"', 200), ("nonsense", 200), ('"x", {etag}', 304)]
)
def test_headers_of_every_kind(tag: str, status: int) -> None:
    tag = tag.replace("{etag}", Client().get(PATHS[0])["ETag"])
    assert Client().get(PATHS[0], headers={"If-None-Match": tag}).status_code == status


@pytest.mark.parametrize("path", ["/api/v1/products/no/", "/api/v1/products/?page=x"])
def test_a_refusal_has_no_tag(path: str) -> None:
    answer = Client().get(path)
    assert answer.status_code in (400, 404)
    assert "ETag" not in answer
    assert answer["Cache-Control"] == "no-store"


def test_head_has_the_tag_of_get() -> None:
    assert Client().head(PATHS[1])["ETag"] == Client().get(PATHS[1])["ETag"]

"""The public catalogue: a visitor and a member see the same shop at their own prices."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from shop import ports
from shop.catalogue.errors import UnknownToken
from shop.catalogue.serializers import ProductDetailOut, ProductOut
from tests.factories.shop import CategoryFactory, ProductFactory
from tests.factories.users import UserFactory, client_for

pytestmark = pytest.mark.django_db

PRODUCTS = "/api/v1/products/"
NOON = datetime(2026, 6, 15, 12, tzinfo=UTC)


@pytest.fixture
def visitor() -> APIClient:
    return APIClient()


@pytest.fixture
def member() -> APIClient:
    return client_for(UserFactory())


def detail(client: APIClient, slug: str, **query: str) -> dict[str, Any]:
    answer = client.get(f"{PRODUCTS}{slug}/", query)
    assert answer.status_code == 200, answer.content
    return answer.json()


def test_a_product_has_the_fields_of_the_contract(visitor: APIClient) -> None:
    wood = CategoryFactory(slug="wood")
    product = ProductFactory(slug="oak", stock=3, category=wood, image="static:catalogue/table.svg")
    assert detail(visitor, "oak") == {
        "id": str(product.uid),
        "slug": "oak",
        "sku": "OAK",
        "name": "Oak",
        "description": "",
        "category": "wood",
        "image": "http://testserver/static/catalogue/table.svg",
        "currency": "USD",
        "price": "10.00",
        "list_price": "10.00",
        "member_price": None,
        "discount_percent": 0,
        "available": 3,
        "in_stock": True,
        "lowest_price_30d": "10.00",
    }


def test_the_answer_and_its_schema_name_the_same_fields(visitor: APIClient) -> None:
    ProductFactory(slug="oak")
    shown = detail(visitor, "oak", token="ETH")
    assert set(shown) == set(ProductDetailOut().fields)
    assert set(shown) - {"lowest_price_30d"} == set(ProductOut().fields)


def test_a_visitor_sees_what_signing_in_saves(visitor: APIClient, member: APIClient) -> None:
    ProductFactory(slug="oak", discount_percent=15, discount_members_only=True)
    seen, paid = detail(visitor, "oak"), detail(member, "oak")
    assert (seen["price"], seen["member_price"], seen["discount_percent"]) == ("10.00", "8.50", 15)
    assert (paid["price"], paid["member_price"], paid["list_price"]) == ("8.50", "8.50", "10.00")
    assert seen["lowest_price_30d"] == paid["lowest_price_30d"] == "10.00"


def test_a_token_that_is_not_valid_is_401_even_here(visitor: APIClient) -> None:
    visitor.credentials(HTTP_AUTHORIZATION="Bearer nonsense")
    assert visitor.get(PRODUCTS).status_code == 401


def test_the_list_pages_filters_and_orders(visitor: APIClient) -> None:
    wood = CategoryFactory(slug="wood")
    for price in (300, 100, 200):
        ProductFactory(slug=f"p{price}", list_price=price, category=wood, stock=1)
    query = {"category": "wood", "ordering": "-price", "page_size": "2", "min_price": "1.00"}
    page = visitor.get(PRODUCTS, query).json()
    assert (page["count"], [row["slug"] for row in page["results"]]) == (3, ["p300", "p200"])
    second = visitor.get(page["next"]).json()
    assert [row["slug"] for row in second["results"]] == ["p100"]
    assert second["next"] is None


@pytest.mark.parametrize("size", [1, 10])
def test_a_list_costs_three_queries_at_most(visitor: APIClient, size: int) -> None:
    wood = CategoryFactory(slug="wood")
    ProductFactory.create_batch(size, category=wood, stock=2)
    with CaptureQueriesContext(connection) as queries:
        page = visitor.get(PRODUCTS, {"category": "wood", "search": "product", "in_stock": "true"})
    assert page.json()["count"] == size
    assert len(queries) == 3


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"ordering": "price,colour"}, "ordering"),
        ({"page_size": "101"}, "page_size"),
        ({"page": "0"}, "page"),
        ({"min_price": "1e3"}, "min_price"),
        ({"max_price": "-1"}, "max_price"),
        ({"in_stock": "perhaps"}, "in_stock"),
        ({"category": "nowhere"}, "category"),
        ({"token": "<eth>"}, "token"),
        ({"search": "a\x00b"}, "search"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_wrong_parameter_is_a_400_that_names_it(
    visitor: APIClient, query: dict[str, str], field: str
) -> None:
    answer = visitor.get(PRODUCTS, query)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == field


def test_an_archived_or_unknown_product_is_the_same_404(visitor: APIClient) -> None:
    ProductFactory(slug="gone", archived_at=NOON)
    bodies = [visitor.get(f"{PRODUCTS}{slug}/") for slug in ("gone", "never")]
    assert [body.status_code for body in bodies] == [404, 404]
    first, second = ({**body.json(), "instance": ""} for body in bodies)
    assert first == second


def test_categories_come_in_their_own_order(visitor: APIClient) -> None:
    CategoryFactory(slug="later", position=1001)
    CategoryFactory(slug="sooner", position=1000)
    found = visitor.get("/api/v1/categories/", {"page_size": "100"}).json()
    assert [row["slug"] for row in found["results"]][-2:] == ["sooner", "later"]


class HalfEther:
    token, source, rate, stale = "ETH", "fixed", Decimal("2000"), False
    as_of = expires_at = NOON

    def amount(self, minor: int) -> str:
        return format(Decimal(minor) / 200_000, "f")


class Pricer:
    def quote(self, *, token: str, currency: str) -> ports.TokenQuote:
        if token != "ETH":
            raise UnknownToken
        return HalfEther()


@pytest.fixture
def pricer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "_pricer", Pricer())


def test_without_a_source_of_token_prices_the_page_still_answers(
    visitor: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ports, "_pricer", ports._NoPricer())
    ProductFactory(slug="oak")
    shown = detail(visitor, "oak", token="ETH")
    assert (shown["token_price"], shown["token_price_error"]) == (None, "unavailable")


@pytest.mark.usefixtures("pricer")
def test_a_token_price_is_of_what_the_caller_pays(member: APIClient) -> None:
    ProductFactory(slug="oak", discount_percent=50, discount_members_only=True)
    shown = detail(member, "oak", token="ETH")
    assert "token_price_error" not in shown
    assert shown["token_price"] == {
        "token": "ETH",
        "amount": "0.0025",
        "rate": "2000",
        "source": "fixed",
        "as_of": "2026-06-15T12:00:00Z",
        "expires_at": "2026-06-15T12:00:00Z",
        "stale": False,
    }


@pytest.mark.usefixtures("pricer")
def test_an_unknown_token_is_the_pricers_to_refuse(visitor: APIClient) -> None:
    answer = visitor.get(PRODUCTS, {"token": "DOGE"})
    assert (answer.status_code, answer.json()["code"]) == (400, "unknown_token")

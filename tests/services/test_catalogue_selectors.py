"""The list, its filters and orderings, and the prices that orders are made at."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from common import clock
from shop.catalogue import rules, selectors
from shop.catalogue.errors import NoSuchCategory, NoSuchProduct
from shop.catalogue.models import PriceChange, Product
from shop.catalogue.selectors import ProductFilter
from tests.factories.shop import CategoryFactory, ProductFactory

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 6, 15, 12, tzinfo=UTC)
TICK = timedelta(milliseconds=1)


@pytest.fixture(autouse=True)
def _nothing_else_is_on_sale(db: None) -> None:
    Product.objects.update(archived_at=NOON)


def listed(member: bool = False, at: datetime | None = None, **wanted: Any) -> list[str]:
    rows = selectors.product_list(member=member, wanted=ProductFilter(**wanted), at=at)
    return [row.slug for row in rows]


def test_a_search_ignores_case_and_looks_at_name_description_and_sku() -> None:
    ProductFactory(slug="a", name="Oak Table")
    ProductFactory(slug="b", description="made of OAK")
    ProductFactory(slug="c", sku="OAK-3")
    ProductFactory(slug="d", name="Pine")
    assert listed(search="oak") == ["b", "c", "a"]


def test_every_word_of_a_search_must_occur_somewhere() -> None:
    ProductFactory(slug="a", name="Oak table", description="round")
    ProductFactory(slug="b", name="Oak table", description="square")
    assert listed(search="round oak") == ["a"]


@pytest.mark.parametrize("wildcard", ["%", "_", "\\"])
def test_a_wildcard_in_a_search_stands_for_itself(wildcard: str) -> None:
    ProductFactory(slug="plain", name="Cotton")
    ProductFactory(slug="odd", name=f"100{wildcard} cotton")
    assert listed(search=wildcard) == ["odd"]


def test_a_category_narrows_the_list_and_an_unknown_one_is_refused() -> None:
    ProductFactory(slug="a", category=CategoryFactory(slug="wood"))
    ProductFactory(slug="b")
    assert listed(category="wood") == ["a"]
    with pytest.raises(NoSuchCategory):
        listed(category="nowhere")


def test_in_stock_counts_what_is_not_held() -> None:
    held = ProductFactory(slug="held", stock=2)
    held.stock.held = 2
    held.stock.save()
    ProductFactory(slug="free", stock=1)
    ProductFactory(slug="empty")
    assert listed(in_stock=True) == ["free"]
    assert listed(in_stock=False) == ["empty", "held"]


def test_the_price_filter_goes_by_what_this_caller_pays() -> None:
    ProductFactory(slug="a", list_price=1000, discount_percent=50, discount_members_only=True)
    assert listed(max_price=500) == []
    assert listed(max_price=500, member=True) == ["a"]
    assert listed(min_price=501, member=True) == []


def test_a_discount_for_members_is_on_sale_for_members_only() -> None:
    ProductFactory(slug="a", discount_percent=50, discount_members_only=True)
    assert listed(on_sale=True) == []
    assert listed(on_sale=False) == ["a"]
    assert listed(on_sale=True, member=True) == ["a"]


def test_several_orderings_apply_in_turn() -> None:
    ProductFactory(slug="a", name="A", list_price=200)
    ProductFactory(slug="b", name="B", list_price=100)
    ProductFactory(slug="c", name="C", list_price=200)
    assert listed(ordering=["-price", "name"]) == ["a", "c", "b"]
    assert listed(ordering=["price", "-name"]) == ["b", "c", "a"]


def test_an_archived_product_is_nowhere_in_public() -> None:
    product = ProductFactory(slug="gone", archived_at=NOON)
    assert listed() == []
    assert selectors.priced_products(["gone"], member=True) == {}
    with pytest.raises(NoSuchProduct):
        selectors.product_get(product.slug)


def test_a_page_of_any_size_costs_one_query_with_category_and_stock() -> None:
    for _ in range(7):
        ProductFactory(category=CategoryFactory(), stock=1)
    with CaptureQueriesContext(connection) as queries:
        for row in selectors.product_list(member=True):
            assert row.category
            assert row.stock.available == 1
    assert len(queries) == 1


def test_orders_get_the_price_of_the_moment_in_one_query() -> None:
    ProductFactory(
        slug="a", sku="A-1", name="A", list_price=999, discount_percent=10,
        discount_members_only=True,
    )  # fmt: skip
    ProductFactory(slug="b")
    with CaptureQueriesContext(connection) as queries:
        found = selectors.priced_products({"a", "b", "missing"}, member=True)
    assert len(queries) == 1
    assert set(found) == {"a", "b"}
    assert (found["a"].sku, found["a"].name, found["a"].price) == ("A-1", "A", 899)
    assert selectors.priced_products(["a"], member=False)["a"].price == 999


def test_a_window_that_the_databases_clock_has_passed_no_longer_discounts() -> None:
    now = clock.now()
    ProductFactory(slug="over", discount_percent=50, discount_ends_at=now)
    ProductFactory(slug="on", discount_percent=50, discount_starts_at=now)
    found = selectors.priced_products(["over", "on"], member=False)
    assert (found["over"].price, found["on"].price) == (1000, 500)


offsets = st.none() | st.sampled_from([-TICK, TICK * 0, TICK, TICK * 5])


@settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    list_price=st.integers(1, 10**14 - 1) | st.integers(1, 300),
    percent=st.integers(0, 99),
    window=st.tuples(offsets, offsets),
    members_only=st.booleans(),
    member=st.booleans(),
)
@example(list_price=1, percent=99, window=(None, None), members_only=False, member=False)
@example(list_price=999, percent=50, window=(TICK * 0, None), members_only=False, member=False)
@example(list_price=999, percent=50, window=(None, TICK * 0), members_only=True, member=True)
def test_sql_and_python_agree_on_every_price(
    list_price: int, percent: int, window: Any, members_only: bool, member: bool
) -> None:
    start, end = (None if offset is None else NOON + offset for offset in window)
    product = ProductFactory(
        list_price=list_price, discount_percent=percent, discount_starts_at=start,
        discount_ends_at=end if rules.is_ordered(start, end) else None,
        discount_members_only=members_only, history=False,
    )  # fmt: skip
    price = rules.price(product.terms, member=member, at=NOON)
    at_price = {"min_price": price, "max_price": price}
    assert product.slug in listed(member=member, at=NOON, **at_price)
    on_sale = price < list_price or rules.percent_in_force(product.terms, NOON) > 0
    entitled = member or not members_only
    assert (product.slug in listed(member=member, at=NOON, on_sale=True)) == (on_sale and entitled)


def test_the_lowest_price_reads_the_change_before_the_30_days() -> None:
    now = clock.now()
    product = ProductFactory(slug="a", list_price=900, history=False)
    for days, price in ((90, 100), (60, 500), (20, 900)):
        PriceChange.objects.create(
            product=product, list_price=price, price=price, member_price=price,
            changed_at=now - timedelta(days=days),
        )  # fmt: skip
    assert selectors.lowest_price_30d(selectors.product_get("a")) == 500

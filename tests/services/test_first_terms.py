"""A product's first terms are marked, so that changes are found without looking at them."""

from datetime import timedelta
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection
from django.db.models import QuerySet
from django.test.utils import CaptureQueriesContext

from common import clock
from shop.catalogue.models import PriceChange
from shop.catalogue.selectors import PriceStep, price_steps
from shop.catalogue.services import product_create, product_update
from tests.factories.shop import ProductFactory

pytestmark = pytest.mark.django_db

migration = import_module("shop.migrations.0015_first_terms")
HOUR = timedelta(hours=1)


def of_the_last_hour() -> list[PriceStep]:
    now = clock.now()
    return price_steps(since=now - HOUR, until=now + HOUR, limit=10)


def marks(slug: str) -> list[bool]:
    rows = PriceChange.objects.filter(product__slug=slug).order_by("pk")
    return list(rows.values_list("first", flat=True))


def test_the_terms_that_a_product_begins_with_are_its_first() -> None:
    draft: dict[str, Any] = {"name": "Lamp", "sku": "FT-1", "list_price": 900, "slug": "a-first"}
    product_create(draft=draft, actor_id=None)
    product_update(slug="a-first", changes={"list_price": 800}, actor_id=None)
    product_update(slug="a-first", changes={"name": "A lamp"}, actor_id=None)
    assert marks("a-first") == [True, False]


def test_those_of_before_are_marked_in_batches_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migration, "BATCH", 2)
    products = [ProductFactory() for _ in range(5)]
    for product in products[:3]:
        product_update(slug=product.slug, changes={"list_price": 5}, actor_id=None)
    QuerySet(PriceChange).update(first=False)
    before = SimpleNamespace(get_model=lambda *_: SimpleNamespace(objects=QuerySet(PriceChange)))
    for _ in range(2):
        migration.mark(before, None)
        assert [marks(product.slug) for product in products] == [[True, False]] * 3 + [[True]] * 2


def test_unmarked_first_terms_are_no_change_either() -> None:
    """As a process of the version before writes them."""
    product = ProductFactory()
    QuerySet(PriceChange).filter(product=product).update(first=False)
    assert of_the_last_hour() == []


def test_the_newest_changes_are_read_without_the_first_terms() -> None:
    product = ProductFactory()
    product_update(slug=product.slug, changes={"list_price": 5}, actor_id=None)
    with CaptureQueriesContext(connection) as asked:
        [step] = of_the_last_hour()
    assert step.change.list_price == 5
    assert step.before.first
    assert "first" in asked.captured_queries[1]["sql"].partition("WHERE")[2]

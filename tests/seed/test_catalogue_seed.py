"""The sample catalogue: complete, repeatable, and taken back without hurting anything."""

from typing import Any

import pytest
from django.contrib.staticfiles import finders

from shop.catalogue.models import Category, PriceChange, Product
from shop.inventory.models import Stock, StockMovement
from tests.factories.seeds import apps, seed, seeds
from tests.factories.shop import ProductFactory

__all__ = ["seeds"]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("seeds")]

SLUGS = [row["slug"] for row in seed.rows("products")]


def seeded() -> Any:
    return Product.objects.filter(slug__in=SLUGS)


def test_the_four_items_of_the_assignment_are_there_at_their_prices() -> None:
    prices = dict(Product.objects.values_list("slug", "list_price"))
    four = {"table": 1000, "chair": 2000, "laptop": 100_000, "lamp": 5000}
    assert four.items() <= prices.items()


def test_every_product_has_words_a_picture_stock_and_a_price_history() -> None:
    assert seeded().count() == len(SLUGS) == 24
    for product in seeded():
        assert product.description
        assert product.category
        assert finders.find(product.image.removeprefix("static:"))
        received = sum(m.delta for m in StockMovement.objects.filter(stock_id=product.pk))
        assert Stock.objects.get(pk=product.pk).on_hand == received
        assert PriceChange.objects.filter(product=product).exists()


def test_a_second_run_adds_nothing() -> None:
    def counts() -> list[int]:
        models = (Category, Product, Stock, StockMovement, PriceChange)
        return [model.objects.count() for model in models]

    before = counts()
    seed.add(apps, None)
    assert counts() == before


def test_going_back_removes_what_was_added_and_nothing_else() -> None:
    own = ProductFactory()
    seed.remove(apps, None)
    assert not seeded().exists()
    assert not Category.objects.filter(slug="furniture").exists()
    assert Product.objects.filter(pk=own.pk).exists()


def test_going_back_leaves_what_somebody_has_changed_or_restocked() -> None:
    chair, lamp = Product.objects.get(slug="chair"), Product.objects.get(slug="lamp")
    Product.objects.filter(slug="table").update(updated_at=chair.updated_at.replace(year=2099))
    StockMovement.objects.create(stock_id=chair.pk, kind="adjusted", delta=1)
    PriceChange.objects.create(product=lamp, list_price=1, price=1, member_price=1)
    seed.remove(apps, None)
    assert set(seeded().values_list("slug", flat=True)) == {"table", "chair", "lamp"}
    assert Category.objects.filter(slug="furniture").exists()

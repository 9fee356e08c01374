"""Categories and products with stock."""

from typing import Any

import factory
from factory.django import DjangoModelFactory

from shop.models import Category, PriceChange, Product, Stock, StockMovement


class CategoryFactory(DjangoModelFactory[Category]):
    class Meta:
        model = Category
        skip_postgeneration_save = True

    slug = factory.Sequence(lambda n: f"category-{n}")
    name = factory.LazyAttribute(lambda made: made.slug.title())


class ProductFactory(DjangoModelFactory[Product]):
    """A product at 10.00 with its stock row and first price; `stock=` units are received."""

    class Meta:
        model = Product
        skip_postgeneration_save = True

    slug = factory.Sequence(lambda n: f"product-{n}")
    sku = factory.LazyAttribute(lambda made: made.slug.upper())
    name = factory.LazyAttribute(lambda made: made.slug.replace("-", " ").title())
    list_price = 1000

    @factory.post_generation
    def stock(product: Product, create: bool, quantity: int | None, **_: Any) -> None:
        if not create:
            return
        row = Stock.objects.create(product=product, on_hand=quantity or 0)
        if quantity:
            StockMovement.objects.create(stock=row, kind="received", delta=quantity)

    @factory.post_generation
    def history(product: Product, create: bool, wanted: bool | None, **_: Any) -> None:
        """The first row of the price history; `history=False` leaves it out."""
        if not create or wanted is False:
            return
        PriceChange.objects.create(
            product=product,
            price=product.list_price,
            member_price=product.list_price,
            list_price=product.list_price,
            discount_percent=product.discount_percent,
            discount_starts_at=product.discount_starts_at,
            discount_ends_at=product.discount_ends_at,
            discount_members_only=product.discount_members_only,
            first=True,
        )

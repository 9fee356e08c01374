"""Reads of the catalogue. Every product comes with `as_of`, the database's time of the reading.

The price a caller pays is computed twice: in SQL to filter and order by it, in Python (`rules`) to
show it. Both use `as_of`, and both round half up to one minor unit and never below one.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db.models import DateTimeField, QuerySet, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Now

from shop.catalogue import rules
from shop.catalogue.models import Product

ORDERINGS: Final = {"price": "caller_price", "name": "name", "created_at": "created_at"}


@dataclass(frozen=True, slots=True)
class PricedProduct:
    """A product and its unit price, in minor units, for one caller at one moment."""

    id: int
    slug: str
    sku: str
    name: str
    price: int
    currency: str


@dataclass(frozen=True, slots=True)
class ProductFilter:
    """What a list is narrowed to; prices are what the caller pays, in minor units.

    `ordering` holds keys of ORDERINGS, each with a leading "-" for descending.
    """

    search: str = ""
    category: str | None = None
    min_price: int | None = None
    max_price: int | None = None
    in_stock: bool | None = None
    on_sale: bool | None = None
    ordering: Sequence[str] = ("name",)


def priced_products(slugs: Collection[str], *, member: bool) -> dict[str, PricedProduct]:
    """The products on sale among `slugs`, by slug, at the caller's price of this moment."""
    rows = _read(None).filter(slug__in=slugs, archived_at=None)
    return {row.slug: _priced(row, member) for row in rows}


def _priced(row: Product, member: bool) -> PricedProduct:
    price = price_of(row, member=member)
    return PricedProduct(row.pk, row.slug, row.sku, row.name, price, row.currency)


def price_of(product: Product, *, member: bool) -> int:
    """What a caller pays for a product that one of these selectors has read."""
    return rules.price(product.terms, member=member, at=as_of(product))


def as_of(product: Product) -> datetime:
    """The database's time at which a selector read this product."""
    moment: datetime = product.as_of  # type: ignore[attr-defined]
    return moment


def _read(at: datetime | None) -> QuerySet[Product]:
    return Product.objects.annotate(as_of=_moment(at))


def _moment(at: datetime | None) -> Combinable:
    return Now() if at is None else Value(at, output_field=DateTimeField())

"""The only place of the catalogue that locks rows."""

from collections.abc import Collection

from shop.catalogue.errors import NoSuchProduct
from shop.catalogue.models import Product


def product(slug: str) -> Product:
    """One product, locked: without it, two changes of price could enter the history reversed."""
    found = Product.objects.select_for_update().filter(slug=slug).first()
    if found is None:
        raise NoSuchProduct
    return found


def products(ids: Collection[int]) -> list[Product]:
    """Several, in primary-key order, with category: imports of the same products take turns."""
    rows = Product.objects.select_for_update(of=("self",)).select_related("category")
    return list(rows.filter(pk__in=ids).order_by("pk"))

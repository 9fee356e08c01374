"""The only place of the catalogue that locks rows."""

from shop.catalogue.errors import NoSuchProduct
from shop.catalogue.models import Product


def product(slug: str) -> Product:
    """One product, locked: without it, two changes of price could enter the history reversed."""
    found = Product.objects.select_for_update().filter(slug=slug).first()
    if found is None:
        raise NoSuchProduct
    return found

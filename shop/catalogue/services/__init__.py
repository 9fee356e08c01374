"""Writes of the catalogue."""

from shop.catalogue.services.many import Outcome, Saved, products_save
from shop.catalogue.services.products import (
    Changes,
    Draft,
    category_save,
    product_archive,
    product_create,
    product_restore,
    product_set_image,
    product_update,
)

__all__ = [
    "Changes",
    "Draft",
    "Outcome",
    "Saved",
    "category_save",
    "product_archive",
    "product_create",
    "product_restore",
    "product_set_image",
    "product_update",
    "products_save",
]

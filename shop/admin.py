"""The admin pages of `shop`, for Django to find."""

from shop.catalogue import admin as catalogue
from shop.inventory import admin as inventory
from shop.orders import admin as orders

__all__ = ["catalogue", "inventory", "orders"]

"""The admin pages of `shop`, for Django to find."""

from shop.catalogue import admin as catalogue
from shop.flash_sales import admin as flash_sales
from shop.flash_schedules import admin as flash_schedules
from shop.inventory import admin as inventory
from shop.orders import admin as orders

__all__ = ["catalogue", "flash_sales", "flash_schedules", "inventory", "orders"]

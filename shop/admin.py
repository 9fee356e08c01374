"""The admin pages of `shop`, for Django to find."""

from shop.catalogue import admin as catalogue

__all__ = ["catalogue"]

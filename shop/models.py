"""The tables of `shop`, for Django to find."""

from shop.catalogue.models import Category, PriceChange, Product
from shop.flash_sales.models import FlashPurchase, FlashRun, FlashSale, FlashUnit
from shop.inventory.models import Stock, StockHold, StockMovement
from shop.orders.models import Order, OrderEvent, OrderLine

__all__ = [
    "Category",
    "FlashPurchase",
    "FlashRun",
    "FlashSale",
    "FlashUnit",
    "Order",
    "OrderEvent",
    "OrderLine",
    "PriceChange",
    "Product",
    "Stock",
    "StockHold",
    "StockMovement",
]

"""The tables of `shop`, for Django to find."""

from shop.catalogue.models import Category, PriceChange, Product
from shop.flash_sales.models import FlashPurchase, FlashRun, FlashSale, FlashTally, FlashUnit
from shop.flash_schedules.models import FlashOccurrence, FlashSchedule
from shop.imports.models import ProductImport
from shop.inventory.models import Stock, StockHold, StockMovement
from shop.orders.models import Order, OrderEvent, OrderLine, PastPurchases
from shop.statistics.models import (
    OrdersDay,
    OrdersHour,
    RunSales,
    SalesDay,
    SalesHour,
    SalesMark,
    SalesMonth,
)

__all__ = [
    "Category",
    "FlashOccurrence",
    "FlashPurchase",
    "FlashRun",
    "FlashSale",
    "FlashSchedule",
    "FlashTally",
    "FlashUnit",
    "Order",
    "OrderEvent",
    "OrderLine",
    "OrdersDay",
    "OrdersHour",
    "PastPurchases",
    "PriceChange",
    "Product",
    "ProductImport",
    "RunSales",
    "SalesDay",
    "SalesHour",
    "SalesMark",
    "SalesMonth",
    "Stock",
    "StockHold",
    "StockMovement",
]

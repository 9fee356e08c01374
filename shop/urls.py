"""`public` below /api/v1/, `staff` below /api/v1/admin/."""

from django.urls import path

from shop.catalogue import urls as catalogue
from shop.flash_sales import urls as flash_sales
from shop.inventory.api import ProductStock
from shop.orders.api import PurchasedItems, Purchases

public = [
    *catalogue.public,
    *flash_sales.public,
    path("purchases/", Purchases.as_view()),
    path("purchases/items/", PurchasedItems.as_view()),
]

staff = [
    *catalogue.staff,
    *flash_sales.staff,
    path("products/<slug:slug>/stock/", ProductStock.as_view()),
]

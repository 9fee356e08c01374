"""`public` below /api/v1/, `staff` below /api/v1/admin/, `back` below /admin/."""

from django.urls import path

from shop.catalogue import urls as catalogue
from shop.flash_sales import urls as flash_sales
from shop.flash_schedules import api as flash_schedules
from shop.imports import pages as imports
from shop.imports.api import ImportProducts
from shop.inventory.api import ProductStock
from shop.orders.api import PurchasedItems, Purchases

public = [
    *catalogue.public,
    *flash_sales.public,
    path("purchases/", Purchases.as_view()),
    path("purchases/items/", PurchasedItems.as_view()),
]

staff = [
    # Before a product of that name, which there is none of.
    path("products/import/", ImportProducts.as_view()),
    *catalogue.staff,
    *flash_sales.staff,
    path("flash-sales/<slug:slug>/schedules/", flash_schedules.Schedules.as_view()),
    path("flash-sales/<slug:slug>/schedules/<uuid:uid>/", flash_schedules.Schedule.as_view()),
    path("products/<slug:slug>/stock/", ProductStock.as_view()),
]

back = [
    path("import/", imports.imports, name="imports"),
    path("import/<uuid:uid>/", imports.one_import, name="import"),
]

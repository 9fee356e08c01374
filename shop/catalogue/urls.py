"""`public` below /api/v1/, `staff` below /api/v1/admin/."""

from django.urls import path

from shop.catalogue import api

public = [
    path("products/", api.Products.as_view()),
    path("products/<slug:slug>/", api.ProductDetail.as_view()),
    path("categories/", api.Categories.as_view()),
]

staff = [
    path("products/", api.StaffProducts.as_view()),
    path("products/<slug:slug>/", api.StaffProduct.as_view()),
    path("products/<slug:slug>/price-history/", api.PriceHistory.as_view()),
    path("products/<slug:slug>/image/", api.ProductImage.as_view()),
]

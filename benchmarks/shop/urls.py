"""The shop's routes, and beside them those that it is measured against."""

from django.urls import path

from benchmarks.shop import reads, views
from config.urls import handler400, handler403, handler404, handler500, urlpatterns

__all__ = ["handler400", "handler403", "handler404", "handler500", "urlpatterns"]

urlpatterns = [
    *urlpatterns,
    path("benchmark/empty/", views.Empty.as_view()),
    path("benchmark/password/", views.Password.as_view()),
    path("benchmark/products/", views.PlainProducts.as_view()),
    path("benchmark/purchases/", reads.History.as_view()),
    path("benchmark/purchases/items/", reads.Items.as_view()),
    path("benchmark/purchases/summary/", reads.Summary.as_view()),
    path("benchmark/orders/<slug:slug>/", views.PlainOrders.as_view()),
    path("benchmark/<slug:slug>/stock/", views.PlainStock.as_view()),
    path("benchmark/<slug:slug>/purchases/", views.PlainPurchases.as_view()),
]

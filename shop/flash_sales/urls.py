"""`public` below /api/v1/, `staff` below /api/v1/admin/."""

from django.urls import path

from shop.flash_sales import api
from shop.flash_sales.live.api import StockStream
from shop.flash_sales.waiting.api import SaleQueue

public = [
    path("flash-sales/", api.FlashSales.as_view()),
    path("flash-sales/<slug:slug>/", api.FlashSaleDetail.as_view()),
    path("flash-sales/<slug:slug>/stock/", api.FlashSaleStock.as_view()),
    path("flash-sales/<slug:slug>/stream/", StockStream.as_view()),
    path("flash-sales/<slug:slug>/queue/", SaleQueue.as_view()),
    path("flash-sales/<slug:slug>/leaderboard/", api.Leaderboard.as_view()),
]

staff = [
    path("flash-sales/", api.StaffFlashSales.as_view()),
    path("flash-sales/<slug:slug>/", api.StaffFlashSale.as_view()),
    path("flash-sales/<slug:slug>/runs/", api.StaffFlashRuns.as_view()),
    path("flash-sales/<slug:slug>/end/", api.EndFlashSale.as_view()),
]

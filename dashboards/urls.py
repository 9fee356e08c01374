"""`public` below /api/v1/, `staff_api` below its admin/, `staff_pages` below /admin/dashboard/,
`pages` at the root.
"""

from django.urls import path

from dashboards.public import api
from dashboards.public import pages as public
from dashboards.staff import api as staff_api_views
from dashboards.staff import pages as staff
from dashboards.storefront.pages import bought, people, shop

public_api = [path("dashboard/", api.Dashboard.as_view())]

staff_api = [path("dashboard/", staff_api_views.Dashboard.as_view())]

staff_pages = [
    path("", staff.dashboard, name="staff-dashboard"),
    path("products/<slug:slug>/", staff.product, name="staff-product"),
    path("products/<slug:slug>/price/", staff.price, name="staff-price"),
    path("products/<slug:slug>/stock/", staff.stock, name="staff-stock"),
]

pages = [
    path("", public.home, name="home"),
    path("products/", shop.products, name="products"),
    path("p/<slug:slug>/", shop.product, name="product"),
    path("p/<slug:slug>/buy/", shop.buy, name="buy"),
    path("flash/<slug:slug>/", shop.flash, name="flash"),
    path("flash/<slug:slug>/buy/", shop.flash_buy, name="flash-buy"),
    path("flash/<slug:slug>/queue/", shop.flash_queue, name="flash-queue"),
    path("account/register/", people.register, name="sign-up"),
    path("account/sign-in/", people.sign_in, name="sign-in"),
    path("account/sign-out/", people.sign_out, name="sign-out"),
    path("purchases/", bought.purchases, name="purchases"),
    path("purchases/<slug:number>/", bought.purchase, name="purchase"),
    path("purchases/<slug:number>/cancel/", bought.cancel, name="purchase-cancel"),
    path("purchases/<slug:number>/pay/", bought.pay, name="purchase-pay"),
    path("wallet/", bought.wallet, name="wallet"),
]

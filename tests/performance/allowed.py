"""Statements that read more than they return, each with the reason why it may."""

from typing import Final

COUNTED: Final = "a counted page: products and sales are counted in an index, whole"
FEW: Final = "sales and their schedules are hundreds"
SUMMED: Final = "all that a customer has bought, once for each hundred lines more"
OWN: Final = "sums of all that one customer has bought"
COMPARED: Final = "1 µs each 20 s for each run that ever was: which one has no figures yet?"
STAFF: Final = "/api/v1/admin/"
BEST: Final = "a hundred products, the best and the slowest, with a row each"

# What asks, a table, and why.
ALLOWED: Final = {
    (f"GET {STAFF}dashboard/", "shop_category"): BEST,
    (f"GET {STAFF}dashboard/", "shop_pricechange"): "all changes of the ten products it shows",
    # Of a longer period the rest is read from sums by month.
    (f"GET {STAFF}dashboard/", "shop_salesday"): "each product's days of two months, then cached",
    (f"GET {STAFF}products/", "shop_product"): COUNTED,
    (f"GET {STAFF}flash-sales/", "shop_flashsale"): FEW,
    ("GET /api/v1/dashboard/", "shop_product"): COUNTED,
    ("GET /api/v1/dashboard/", "shop_salesday"): "each product's days of a month, then cached",
    ("GET /api/v1/products/", "shop_product"): COUNTED,
    ("GET /api/v1/flash-sales/", "shop_flashsale"): FEW,
    ("GET /api/v1/purchases/items/", "shop_orderline"): OWN,
    ("GET /api/v1/purchases/summary/", "shop_orderline"): OWN,
    ("GET /api/v1/purchases/summary/", "shop_order"): OWN,
    ("GET /api/v1/purchases/summary/", "payments_payment"): OWN,
    ("writes", "shop_product"): "an export counts what it will have",
    ("shop.flash_schedules.plan", "shop_flashschedule"): FEW,
    ("payments.exchange.reconcile", "payments_exchangeattempt"): "hourly; one attempt a batch",
    ("shop.flash_sales.sweep", "shop_flashtally"): "200 rows at most of each run that sold last",
    ("shop.statistics.count", "shop_flashrun"): COMPARED,
    (
        "shop.statistics.count",
        "shop_flashunit",
    ): "of open runs, each 20 s, whatever tallies say",
    ("shop.imports.forget", "shop_productimport"): "hourly; staff's trial imports",
    ("payments.checkout.count_histories", "shop_orderline"): SUMMED,
    ("payments.checkout.count_histories", "payments_payment"): SUMMED,
}

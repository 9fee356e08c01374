"""What a request may cost in processor time, as a multiple of one that does nothing.

The other one is an empty view of the API, with the same token. To have the table printed anew:

    python .ci/servers.py run -- python -m tests.performance

Pages have 20 rows. Figures of a small, busy machine with two cores, Python 3.11.
"""

from typing import Final

# Twice the work of a view is more than this; noise, another machine or another Python is less.
SLACK: Final = 1.5

BUDGETS: Final = {
    "GET /api/deviation": 2.4,
    "GET /api/stats": 1.5,
    "GET /api/v1/admin/audit-log/": 4.2,
    "GET /api/v1/admin/dashboard/": 46.5,
    "GET /api/v1/admin/exchange/batches/": 5.4,
    "GET /api/v1/admin/exchange/batches/{uid}/": 5.6,
    "GET /api/v1/admin/exports/": 5.2,
    "GET /api/v1/admin/exports/{uid}/": 3.0,
    "GET /api/v1/admin/exports/{uid}/file/": 3.0,
    "GET /api/v1/admin/flash-sales/": 9.3,
    "GET /api/v1/admin/flash-sales/{slug}/": 6.5,
    "GET /api/v1/admin/flash-sales/{slug}/runs/": 8.8,
    "GET /api/v1/admin/flash-sales/{slug}/schedules/": 9.1,
    "GET /api/v1/admin/flash-sales/{slug}/schedules/{uid}/": 7.0,
    "GET /api/v1/admin/ledger/trial-balance/": 2.7,
    "GET /api/v1/admin/market/providers/": 3.4,
    "GET /api/v1/admin/orders/": 18.6,
    "GET /api/v1/admin/orders/{number}/": 7.3,
    "GET /api/v1/admin/payments/": 7.4,
    "GET /api/v1/admin/payments/{uid}/": 3.5,
    "GET /api/v1/admin/products/": 8.8,
    "GET /api/v1/admin/products/{slug}/": 3.4,
    "GET /api/v1/admin/products/{slug}/price-history/": 4.8,
    "GET /api/v1/admin/products/{slug}/stock/": 5.6,
    "GET /api/v1/admin/risk/allowances/": 3.8,
    "GET /api/v1/admin/webhook-events/": 3.3,
    "GET /api/v1/admin/webhook-events/{event_id}/": 2.3,
    "GET /api/v1/auth/me/": 2.4,
    "GET /api/v1/categories/": 2.8,
    "GET /api/v1/dashboard/": 1.3,
    "GET /api/v1/exchange/currencies/": 2.9,
    "GET /api/v1/exchange/orders/": 6.5,
    "GET /api/v1/exchange/orders/{uid}/": 3.4,
    "GET /api/v1/flash-sales/": 9.6,
    "GET /api/v1/flash-sales/{slug}/": 7.3,
    "GET /api/v1/flash-sales/{slug}/leaderboard/": 5.6,
    "GET /api/v1/flash-sales/{slug}/queue/": 2.9,
    "GET /api/v1/flash-sales/{slug}/stock/": 1.2,
    "GET /api/v1/flash-sales/{slug}/stream/": 1.5,
    "GET /api/v1/market/coins/": 1.7,
    "GET /api/v1/market/deviation/": 2.5,
    "GET /api/v1/market/history/": 2.7,
    "GET /api/v1/market/stats/": 1.6,
    "GET /api/v1/market/stream/": 1.2,
    "GET /api/v1/orders/": 17.1,
    "GET /api/v1/orders/{number}/": 7.1,
    "GET /api/v1/payments/": 6.8,
    "GET /api/v1/payments/{uid}/": 3.6,
    "GET /api/v1/products/": 7.7,
    "GET /api/v1/products/{slug}/": 5.6,
    "GET /api/v1/purchases/": 5.6,
    "GET /api/v1/purchases/items/": 4.3,
    "GET /api/v1/purchases/summary/": 8.4,
    "GET /api/v1/tokens/": 1.5,
    "GET /api/v1/wallet/": 2.3,
    "GET /api/v1/wallet/entries/": 4.5,
    "POST an order by wallet": 21.9,
    "POST a flash purchase": 11.9,
    "POST a webhook": 2.0,
}

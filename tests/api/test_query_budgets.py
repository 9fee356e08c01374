"""What each GET of the schema costs in queries, and that no list costs more when it grows."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.db.models import QuerySet
from django.test.utils import CaptureQueriesContext
from drf_spectacular.generators import SchemaGenerator
from rest_framework.test import APIClient

from accounts.sessions import store
from common import clock
from shop.flash_sales import services
from shop.flash_sales.models import FlashRun
from shop.flash_schedules.services import schedules_plan
from tests.factories.events import stored_event
from tests.factories.exchange import buy as buy_coins
from tests.factories.exchange import fund, listed
from tests.factories.exports import exported
from tests.factories.flash import HOUR, daily, live_run
from tests.factories.market import priced
from tests.factories.orders import buy, place, post, refund
from tests.factories.risk import allowed
from tests.factories.shop import CategoryFactory, ProductFactory
from tests.factories.users import StaffFactory, client_for
from tests.factories.wallet import deposit
from tests.sizes import sized

pytestmark = pytest.mark.django_db

V1 = "/api/v1/"
# Queries of a signed-in caller whose session the cache knows.
BUDGETS = {
    # Prices are in the cache; the deviation is of a hundred rows.
    "/api/deviation": 1,
    "/api/stats": 0,
    "/api/v1/admin/audit-log/": 2,
    # Its sums are in the cache; the rest is what staff act on.
    "/api/v1/admin/dashboard/": 18,
    "/api/v1/admin/exchange/batches/": 2,
    "/api/v1/admin/exchange/batches/{uid}/": 3,
    "/api/v1/admin/exports/": 1,
    "/api/v1/admin/exports/{uid}/": 1,
    # The audit row; the pieces are read one by one while they are sent.
    "/api/v1/admin/exports/{uid}/file/": 2,
    "/api/v1/admin/flash-sales/": 4,
    "/api/v1/admin/flash-sales/{slug}/": 3,
    "/api/v1/admin/flash-sales/{slug}/runs/": 4,
    "/api/v1/admin/flash-sales/{slug}/schedules/": 4,
    "/api/v1/admin/flash-sales/{slug}/schedules/{uid}/": 4,
    "/api/v1/admin/ledger/trial-balance/": 1,
    "/api/v1/admin/market/providers/": 3,
    # Of a page with payments in coins: invoices, credits, how far the chain was read.
    "/api/v1/admin/orders/": 8,
    "/api/v1/admin/orders/{number}/": 5,
    "/api/v1/admin/payments/": 5,
    "/api/v1/admin/payments/{uid}/": 2,
    "/api/v1/admin/products/": 2,
    "/api/v1/admin/products/{slug}/": 1,
    "/api/v1/admin/products/{slug}/price-history/": 2,
    "/api/v1/admin/products/{slug}/stock/": 2,
    "/api/v1/admin/risk/allowances/": 3,
    "/api/v1/admin/webhook-events/": 1,
    "/api/v1/admin/webhook-events/{event_id}/": 1,
    "/api/v1/auth/me/": 1,
    "/api/v1/categories/": 2,
    "/api/v1/dashboard/": 0,
    "/api/v1/exchange/currencies/": 2,
    "/api/v1/exchange/orders/": 2,
    "/api/v1/exchange/orders/{uid}/": 1,
    "/api/v1/flash-sales/": 4,
    "/api/v1/flash-sales/{slug}/": 3,
    "/api/v1/flash-sales/{slug}/leaderboard/": 4,
    "/api/v1/flash-sales/{slug}/queue/": 1,
    # Where nothing is published, as in a test's transaction; else none.
    "/api/v1/flash-sales/{slug}/stock/": 2,
    "/api/v1/flash-sales/{slug}/stream/": 2,
    "/api/v1/market/coins/": 0,
    "/api/v1/market/deviation/": 1,
    "/api/v1/market/history/": 1,
    "/api/v1/market/stats/": 0,
    "/api/v1/market/stream/": 0,
    "/api/v1/orders/": 8,
    "/api/v1/orders/{number}/": 5,
    "/api/v1/payments/": 5,
    "/api/v1/payments/{uid}/": 2,
    "/api/v1/products/": 2,
    "/api/v1/products/{slug}/": 2,
    "/api/v1/purchases/": 2,
    # What is summed of the past, what was bought since, and names.
    "/api/v1/purchases/items/": 3,
    "/api/v1/purchases/summary/": 5,
    "/api/v1/tokens/": 0,
    "/api/v1/wallet/": 1,
    "/api/v1/wallet/entries/": 2,
}
# Asked of one coin.
OF_COIN = ("/stats", "/stats/", "/deviation", "/deviation/", "/history/")
# Rows there are in the end; it begins with one.
MANY = sized(10, 100)


def routes() -> dict[str, bool]:
    """Every path with a GET, and whether it is a list."""
    paths = SchemaGenerator().get_schema(public=True)["paths"]
    gets = {path: item["get"] for path, item in paths.items() if "get" in item}
    return {path: "page_size" in str(get.get("parameters")) for path, get in gets.items()}


class World:
    """One customer's shop; `grow` adds one more of everything that the lists show."""

    def __init__(
        self, api: APIClient, owner: Any, staff: APIClient, drain: Callable[..., int]
    ) -> None:
        self.coins: dict[str, Any] = {}
        self.owner, self.api, self.staff, self.drain, self.last = owner, api, staff, drain, {}
        self.first: FlashRun | None = None
        # Days until the start of the run that was planned last.
        self.ahead = 1

    def grow(self) -> None:
        product = ProductFactory(stock=9, category=CategoryFactory())
        deposit(self.api, self.drain, "1.00")
        self._change(product.slug, buy(self.api, self.drain, (product.slug, 2)))

    def grow_fast(self) -> None:
        """The same, paid from the wallet: no provider is asked."""
        product = ProductFactory(stock=9, category=CategoryFactory())
        self._change(product.slug, place(self.api, (product.slug, 2), method="wallet"))

    def _change(self, slug: str, order: Any) -> None:
        assert refund(self.staff, order["payment"], amount="1.00").status_code == 201
        self.drain()
        url = f"{V1}admin/products/{slug}/"
        assert self.staff.patch(url, {"price": "11.00"}, format="json").status_code == 200
        stock = {"delta": 1, "reason": "count"}
        assert self.staff.post(f"{url}stock/", stock, format="json").status_code == 201
        priced()
        priced("ethereum", "2000")
        place(self.api, (slug, 1), method="crypto")
        self._coins()
        self._flash_sale()
        self.exported = exported(self.owner)
        self.last = {"slug": slug, "number": order["number"]}
        self.last["event_id"] = stored_event(state="ignored").event_id
        self.last["uid"] = order["payment"]["id"]

    def _coins(self) -> None:
        """Another member of the open batch."""
        listed("ABAN")
        fund(self.owner, 100)
        self.coins = buy_coins(self.api, "ABAN", "0.0001")

    def _flash_sale(self) -> None:
        """Another sale; of the first one another run, and another buyer on its leaderboard."""
        if self.first is None:
            self.first = live_run(units=MANY, stock=3 * MANY, price=1, ends=True)
            daily(self.first.sale)
            schedules_plan()
        else:
            live_run(units=1)
            self.ahead += 1
            starts_at = clock.now() + timedelta(days=self.ahead)
            plan = services.Plan(1, starts_at, starts_at + HOUR)
            services.run_schedule(sale_id=self.first.sale_id, plan=plan, actor_id=None)
        url = f"{V1}flash-sales/{self.first.sale.slug}/purchases/"
        answer = post(self.api, url, {"quantity": 1, "payment": {"method": "wallet"}})
        assert answer.status_code == 201, answer.content
        allowed()
        self.schedule = daily(self.first.sale).uid
        self.first.purchases.update(paid_at=clock.now() - timedelta(minutes=1))
        services.positions_give(run_id=self.first.pk)

    def costs(self) -> dict[str, int]:
        return {route: self.cost(route, paged=paged) for route, paged in routes().items()}

    def cost(self, route: str, *, paged: bool) -> int:
        client, path = self.client(route), self.path(route)
        path += "?page_size=100" if paged else ""
        client.get(path)
        with CaptureQueriesContext(connection) as caught:
            answer = client.get(path)
        assert answer.status_code == 200, (path, answer.content)
        return len(caught)

    def client(self, route: str) -> APIClient:
        return self.staff if route.startswith(f"{V1}admin/") else self.api

    def path(self, route: str) -> str:
        """Of what was grown last."""
        flash: dict[str, Any] = {}
        if self.first and "flash-sales" in route:
            flash = {"slug": self.first.sale.slug, "uid": self.schedule}
        if "exchange" in route:
            flash = {"uid": self.coins["batch" if "batches" in route else "id"]}
        if "exports" in route:
            flash = {"uid": self.exported.uid}
        coin = "?coin=bitcoin" if route.endswith(OF_COIN) and "{" not in route else ""
        return route.format(**self.last | flash) + coin


@pytest.fixture
def world(
    api: APIClient,
    customer: Any,
    sandbox: Any,
    drain: Callable[..., int],
    monkeypatch: pytest.MonkeyPatch,
) -> World:
    # An entry that ends between the first call of a route and the counted one costs a query.
    monkeypatch.setattr(store, "LIVE_TTL", 3600)
    cache.clear()
    found = World(api, customer, client_for(StaffFactory()), drain)
    found.grow()
    return found


def test_every_get_of_the_schema_has_a_budget() -> None:
    assert set(BUDGETS) == set(routes())


@pytest.mark.proof(
    "Queries of every GET",
    size=f"1 row against {MANY}",
    control="test_control_a_query_for_each_row_is_seen",
)
def test_no_get_costs_more_than_its_budget_or_more_with_more_rows(world: World) -> None:
    one = world.costs()
    deposit(world.api, world.drain, "10000.00")
    for _ in range(MANY - 2):
        world.grow_fast()
    world.grow()
    many = world.costs()
    assert many == one
    assert {r: n for r, n in one.items() if n > BUDGETS[r]} == {}


def test_control_a_query_for_each_row_is_seen(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(QuerySet, "prefetch_related", lambda self, *lookups: self)
    one = world.cost(f"{V1}orders/", paged=True)
    world.grow()
    assert world.cost(f"{V1}orders/", paged=True) > one

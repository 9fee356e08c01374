"""The staff dashboard as JSON: bad periods, links to as many rows as it counts, and its cost."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from common import clock
from common.outbox.services import enqueue
from dashboards import store
from payments.models import MethodDay, Payment
from payments.statistics.services import methods_count
from shop.catalogue.services import product_update
from shop.models import OrdersDay, SalesDay
from shop.statistics.services import sales_count
from tests.factories.admin import root
from tests.factories.exchange import buy as buy_coins
from tests.factories.exchange import fund, listed
from tests.factories.flash import live_run
from tests.factories.orders import buy, own_rollbacks, place, post, refund
from tests.factories.shop import ProductFactory
from tests.factories.wallet import deposit

__all__ = ["own_rollbacks", "root"]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_rollbacks")]

URL = "/api/v1/admin/dashboard/"


@pytest.mark.parametrize(
    ("query", "field", "code"),
    [
        ("from=2026-02-02&to=2026-02-01", "to", "period_reversed"),
        ("from=2001-01-01&to=2050-01-01&granularity=month", "from", "period_too_long"),
        ("from=1900-01-01&to=2100-01-01&granularity=month", "from", "out_of_range"),
        ("to=9999-12-31", "to", "out_of_range"),
        ("from=2023-01-01&to=2026-01-01", "granularity", "too_many_steps"),
        ("granularity=fortnight", "granularity", "invalid_choice"),
        ("granularity=", "granularity", "invalid_choice"),
        ("from=yesterday", "from", "invalid"),
        ("from=2026-02-30", "from", "invalid"),
        ("from=", "from", "invalid"),
        ("since=2026-02-01", "since", "unknown_parameter"),
    ],
)
def test_a_wrong_period_is_refused_by_name(
    staff_api: Any, query: str, field: str, code: str
) -> None:
    answer = staff_api.get(f"{URL}?{query}")
    assert answer.status_code == 400
    assert [(item["field"], item["code"]) for item in answer.json()["errors"]] == [(field, code)]


def test_a_period_is_answered_as_it_was_asked_for(staff_api: Any) -> None:
    found = staff_api.get(f"{URL}?from=2026-10-15&to=2026-11-20&granularity=month").json()
    assert (found["from"], found["to"]) == ("2026-10-15", "2026-11-20")
    assert [(row["day"], row["to"]) for row in found["by_day"]] == [
        ("2026-10-15", "2026-10-31"),
        ("2026-11-01", "2026-11-20"),
    ]
    usual = staff_api.get(URL).json()
    today = clock.now().date()
    assert (usual["from"], usual["to"]) == (str(today - timedelta(days=29)), str(today))
    assert "sold" not in usual


def counted(client: Client, path: str) -> int:
    """How many rows the admin lists there."""
    answer = client.get(path)
    assert answer.status_code == 200, (path, answer.get("Location"))
    found: int = answer.context["cl"].result_count
    return found


def test_every_figure_links_to_as_many_rows_as_it_counts(
    api: Any,
    customer: Any,
    staff_api: Any,
    root: Client,
    sandbox: Any,
    drain: Callable[..., int],
) -> None:
    lamp, chair = ProductFactory(stock=9), ProductFactory(stock=9)
    deposit(api, drain, "50.00")
    bought = buy(api, drain, (lamp.slug, 2), (chair.slug, 1))
    buy(api, drain, (lamp.slug, 1))
    place(api, (chair.slug, 1), method="wallet")
    refund(staff_api, bought["payment"], amount="3.00")
    drain()
    place(api, (lamp.slug, 1))
    gone = place(api, (lamp.slug, 1))
    assert post(api, f"/api/v1/orders/{gone['number']}/cancel/").status_code == 200
    drain()
    Payment.objects.filter(order__number=gone["number"]).update(status="review", reason="late")
    listed("ABAN")
    fund(customer, 100)
    buy_coins(api, "ABAN", "0.0001")
    enqueue("shop.statistics.count")
    sales_count()
    methods_count()
    cache.clear()
    found = staff_api.get(URL).json()
    pairs = [
        (found["orders"], found["rows"]),
        (found["refunds"]["count"], found["refunds"]["rows"]),
        (found["low_stock"]["count"], found["low_stock"]["rows"]),
        (found["payments_in_review"]["count"], found["payments_in_review"]["rows"]),
        (found["health"]["outbox"]["waiting"], found["health"]["outbox"]["rows"]),
        (found["health"]["outbox"]["overdue"], found["health"]["outbox"]["overdue_rows"]),
        (found["health"]["outbox"]["failing"], found["health"]["outbox"]["failing_rows"]),
        *((row["orders"], row["rows"]) for row in found["by_day"][-3:]),
        *((row["orders"], row["rows"]) for row in found["by_method"]),
        *((row["refunds"], row["refund_rows"]) for row in found["by_method"]),
        *((row["orders"], row["rows"]) for row in found["by_product"]),
        *((row["orders"], row["rows"]) for row in found["slow_sellers"]),
        *((row["count"], row["rows"]) for row in found["payments_in_review"]["reasons"]),
        *((row["count"], row["rows"]) for row in found["exchange_batches"]),
    ]
    held = found["conversion"]
    pairs += [
        (held["placed"], held["rows"]),
        (held["paid"], held["paid_rows"]),
        (held["lapsed"], held["lapsed_rows"]),
        (held["open"], held["open_rows"]),
    ]
    assert (found["orders"], held["placed"], held["lapsed"], held["open"]) == (3, 5, 1, 1)
    assert len(found["by_method"]) == 2
    assert found["exchange_batches"] != []
    wrong = [(count, path) for count, path in pairs if counted(root, path) != count]
    assert wrong == []


def test_its_pages_open(staff_api: Any, root: Client) -> None:
    live_run(units=2)
    lamp = ProductFactory(stock=2)
    product_update(slug=lamp.slug, changes={"list_price": 900}, actor_id=None)
    sales_count()
    found = staff_api.get(URL).json()
    [run], [change], provider = found["flash_runs"], found["price_changes"], found["providers"][0]
    for path in (run["rows"], change["rows"], provider["rows"]):
        assert root.get(path).status_code == 200


def filled(days: int, each: int) -> None:
    """Figures of so many days, as if of `each` orders a day."""
    product, today = ProductFactory(stock=9), clock.now().date()
    for back in range(days):
        day: date = today - timedelta(days=back)
        SalesDay.objects.create(
            product=product, day=day, orders=each, units=each, amount=each * 1000
        )
        OrdersDay.objects.create(
            day=day,
            orders=each,
            units=each,
            amount=each * 1000,
            refunded=0,
            placed=each,
            paid=each,
            lapsed=0,
        )
        MethodDay.objects.create(
            day=day, method="stripe", orders=each, amount=each * 1000, refunds=0, refunded=0
        )


def test_what_it_costs_does_not_grow_with_orders_products_or_days(staff_api: Any) -> None:
    costs = []
    for days, each in ((1, 1), (29, 1000)):
        OrdersDay.objects.all().delete()
        MethodDay.objects.all().delete()
        filled(days, each)
        staff_api.get(URL)
        for cached in (False, True):
            if not cached:
                cache.clear()
                staff_api.get("/api/v1/auth/me/")
            with CaptureQueriesContext(connection) as queries:
                found = staff_api.get(URL)
            assert found.status_code == 200
            costs.append(len(queries))
        product_update(
            slug=ProductFactory().slug, changes={"list_price": 900 + days}, actor_id=None
        )
    assert found.json()["orders"] == 29_000
    assert costs[2] - costs[0] <= 3  # of the price changes, which there were none of
    assert costs[3] - costs[1] <= 3
    assert costs[2] <= 30
    assert costs[3] < costs[2]


def test_figures_are_kept_for_seconds_and_terms_are_not(
    staff_api: Any, api: Any, sandbox: Any, drain: Callable[..., int], monkeypatch: Any
) -> None:
    lamp = ProductFactory(stock=9)
    buy(api, drain, (lamp.slug, 1))
    sales_count()
    cache.clear()
    assert staff_api.get(URL).json()["orders"] == 1
    buy(api, drain, (lamp.slug, 1))
    sales_count()
    product_update(slug=lamp.slug, changes={"list_price": 900}, actor_id=None)
    found = staff_api.get(URL).json()
    assert found["orders"] == 1
    assert found["top_sellers"][0]["list_price"] == "9.00"
    assert found["price_changes"][0]["new"]["list_price"] == "9.00"
    monkeypatch.setattr(store, "FRESH_SECONDS", 0)
    assert staff_api.get(URL).json()["orders"] == 2

"""The public page and its JSON: the same figures, nobody in them, few queries and few bytes."""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.staticfiles.finders import find
from django.core.cache import cache
from django.db import connection
from django.db.models.functions import Now
from django.test import Client
from django.test.utils import CaptureQueriesContext

from common import clock
from dashboards import store
from dashboards.public import rules, selectors
from shop.models import Product, SalesDay
from shop.statistics.services import sales_count
from tests.factories.flash import live_run, planned_run
from tests.factories.market import priced
from tests.factories.orders import buy
from tests.factories.shop import ProductFactory
from tests.pages.reading import Page, said, untranslated

pytestmark = pytest.mark.django_db

JSON = "/api/v1/dashboard/"


def home(**more: Any) -> str:
    answer = Client().get("/", **more)
    assert answer.status_code == 200
    page: str = answer.content.decode()
    return page


def sold(product: Any, units: int, *, days_ago: int = 0) -> None:
    day = clock.now().date() - timedelta(days=days_ago)
    SalesDay.objects.create(product=product, day=day, orders=1, units=units, amount=units * 1000)


@pytest.fixture
def world(db: None) -> Any:
    """A shop with all that its face can show."""
    Product.objects.update(archived_at=Now())
    lamp = ProductFactory(stock=9, name="Brass lamp", image="static:catalogue/lamp.svg")
    ProductFactory(stock=2, name="Oak chair", discount_percent=20, discount_members_only=True)
    sold(lamp, 12, days_ago=1)
    for price in ("40000", "41000", "40500"):
        priced(price=price)
    return live_run(units=7)


def test_page_and_json_come_from_one_call(world: Any) -> None:
    found = Client().get(JSON).json()
    page = said(home())
    for product in (*found["top_sellers"], *found["new_products"], *found["discounts"]):
        assert product["name"] in page
        assert f"${product['price']}" in page
    [sale] = found["flash_sales"]
    assert sale["remaining"] == 7
    assert sale["status"] == "live"
    assert sale["name"] in page
    assert "Flash sale, now" in page
    assert found["top_sellers"][0]["units_sold_30d"] == 12
    assert "12 sold in 30 days" in page
    assert found["coins"][0]["points"] == ["40000", "41000", "40500"]
    assert "$40,500" in page
    assert found["counts"]["products"] == 3


def test_what_a_member_saves_is_shown_to_who_has_no_account(world: Any) -> None:
    [chair] = Client().get(JSON).json()["discounts"]
    assert (chair["price"], chair["member_price"], chair["saving"]) == ("10.00", "8.00", "2.00")
    page = said(home())
    assert "$8.00 for members" in page
    assert "Members save $2.00" in page


def test_a_coming_sale_counts_down_by_the_databases_clock(db: None) -> None:
    planned_run(units=5)
    page = home()
    assert "Flash sale, soon" in said(page)
    [seconds] = [int(text.split('"')[0]) for text in page.split('data-countdown="')[1:]]
    assert 3590 <= seconds <= 3600


def test_figures_that_were_kept_beyond_a_sales_start_say_that_it_is_open() -> None:
    sale = {"status": "scheduled", "starts_at": "2026-11-22T10:00:00Z"}
    before, after = (datetime(2026, 11, 22, *at, tzinfo=UTC) for at in ((9, 59, 59), (10, 0)))
    assert [one["status"] for one in rules.opened([sale], before)] == ["scheduled"]
    assert [one["status"] for one in rules.opened([sale], after)] == ["live"]
    over = {**sale, "status": "sold_out"}
    assert rules.opened([over], after) == [over]


def test_a_kept_sale_opens_on_the_page_and_in_the_json(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned_run(units=5)
    assert "Flash sale, soon" in said(home())
    # As after an hour; nobody reads the figures again.
    monkeypatch.setattr(store, "_age", lambda _: 3601.0)
    monkeypatch.setattr(store, "FRESH_SECONDS", 7200)
    assert "Flash sale, now" in said(home())
    assert [sale["status"] for sale in Client().get(JSON).json()["flash_sales"]] == ["live"]


def test_an_empty_shop_has_a_face_too(db: None) -> None:
    assert "Be the first!" in said(home())
    found = Client().get(JSON).json()
    assert found["top_sellers"] == found["coins"] == found["flash_sales"] == []


def test_small_numbers_are_told_to_nobody(db: None) -> None:
    lamp = ProductFactory(stock=1)
    sold(lamp, 2)
    found = Client().get(JSON).json()
    assert found["top_sellers"][0]["units_sold_30d"] is None
    assert found["top_sellers"][0]["by_week"][-1]["units"] is None
    assert found["sales_by_day"][-1]["units"] is None
    assert found["counts"]["units_sold_30d"] is None
    assert "A few sold in 30 days" in said(home())


def told(found: Any, name: str = "") -> list[tuple[str, Any]]:
    """Every value of a JSON document beside the name that it stands under."""
    if isinstance(found, dict):
        return [pair for key, value in found.items() for pair in told(value, key)]
    if isinstance(found, list):
        return [pair for value in found for pair in told(value, name)]
    return [(name, found)]


def test_nothing_is_told_by_the_hour_and_no_small_count_of_a_product(
    api: Any, sandbox: Any, drain: Callable[..., int]
) -> None:
    """One sale an hour for two hours: who knows one buyer must not learn when he bought what."""
    lamp = ProductFactory(stock=9)
    for _ in range(2):
        buy(api, drain, (lamp.slug, 1))
    sales_count()
    cache.clear()
    found = told(Client().get(JSON).json())
    assert not [name for name, _ in found if "hour" in name]
    units = [value for name, value in found if name.startswith("units")]
    assert None in units
    assert not [value for value in units if value is not None and 0 < value < 3]


def test_no_person_is_in_it(
    api: Any, customer: Any, sandbox: Any, drain: Callable[..., int], world: Any
) -> None:
    order = buy(api, drain, (ProductFactory(stock=9).slug, 5))
    sales_count()
    cache.clear()
    for answer in (home(), Client().get(JSON).content.decode()):
        for secret in (customer.email, customer.name, customer.username, order["number"]):
            assert secret not in answer


def test_what_it_costs_does_not_grow_and_is_nothing_while_it_is_fresh(world: Any) -> None:
    counts = []
    for _ in range(2):
        cache.clear()
        with CaptureQueriesContext(connection) as queries:
            home()
        counts.append(len(queries))
        for number in range(12):
            sold(ProductFactory(stock=3, discount_percent=10), 5, days_ago=number)
    with CaptureQueriesContext(connection) as kept:
        home()
    assert counts[0] == counts[1] <= 18
    assert len(kept) == 0


def test_all_that_a_first_visit_loads_is_under_150_kilobytes(world: Any) -> None:
    page = home()
    loaded = {link for link in Page(page).links if link.startswith("/static/")}
    assert len(loaded) >= 5
    files = [find(path.removeprefix("/static/")) for path in loaded]
    assert None not in files
    assert len(page) + sum(Path(str(file)).stat().st_size for file in files) < 150_000


def test_nothing_comes_from_another_host(world: Any) -> None:
    page = home()
    assert [link for link in Page(page).links if "://" in link] == []
    assert "style=" not in page
    assert "onclick" not in page


def test_every_text_can_be_translated(world: Any, foreign: None) -> None:
    assert untranslated(home()) == []


def test_charts_have_a_title_a_description_and_a_table(world: Any) -> None:
    page = home()
    assert 'aria-labelledby="days-title days-text"' in page
    assert '<title id="days-title">' in page
    assert '<desc id="days-text">' in page
    assert "<caption>Units sold by day, all products</caption>" in page


# The cache, which nothing depends on.


def test_one_builds_while_the_others_show_the_last_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[int] = []

    def build() -> dict[str, Any]:
        built.append(1)
        return {"n": len(built)}

    assert store.kept("x", build)[0] == {"n": 1}
    monkeypatch.setattr(store, "FRESH_SECONDS", 0)
    cache.add("dashboard:1:x:building", 1, 20)
    assert store.kept("x", build)[0] == {"n": 1}
    cache.delete("dashboard:1:x:building")
    assert store.kept("x", build)[0] == {"n": 2}


def test_of_many_who_come_first_one_builds() -> None:
    built: list[int] = []

    def build() -> dict[str, Any]:
        built.append(1)
        time.sleep(0.3)
        return {"n": 1}

    found: list[Any] = []
    threads = [
        threading.Thread(target=lambda: found.append(store.kept("y", build)[0])) for _ in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [{"n": 1}] * 12
    assert len(built) == 1


class Unlocked:
    """A cache that has nothing, and whose every lock is free."""

    def get(self, *_: Any) -> None: ...

    def set(self, *_: Any) -> None: ...

    def delete(self, *_: Any) -> None: ...

    def add(self, *_: Any) -> bool:
        return True


def test_control_without_the_lock_all_of_them_build(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "cache", Unlocked())
    built: list[int] = []

    def build() -> dict[str, Any]:
        built.append(1)
        time.sleep(0.3)
        return {}

    threads = [threading.Thread(target=lambda: store.kept("z", build)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(built) > 1


def test_without_a_cache_it_is_read_every_time(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "cache", Unlocked())
    for _ in range(2):
        with CaptureQueriesContext(connection) as queries:
            assert selectors.dashboard()[0]["counts"]["products"] == 3
        assert len(queries) > 5

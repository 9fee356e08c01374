"""What the staff dashboard says, held against the rows: orders, methods, holds, prices, runs."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.cache import cache
from django.core.management import call_command
from django.db.models import QuerySet

from common import clock
from config import invariants
from config.statistics_invariants import statistics_are_sums_of_rows
from dashboards.staff import selectors
from dashboards.staff.rules import Granularity, Period
from payments.models import MethodDay, MethodHour, Refund
from payments.statistics.services import methods_count, methods_differences
from shop.catalogue.services import product_update
from shop.flash_sales.services import positions_give
from shop.models import (
    Order,
    OrderEvent,
    OrderLine,
    OrdersDay,
    PriceChange,
    Product,
    RunSales,
    SalesMark,
)
from shop.statistics import rules
from shop.statistics.selectors import truth
from shop.statistics.services import sales_count, sales_differences, sales_recount
from tests.factories.flash import buy as flash_buy
from tests.factories.flash import live_run
from tests.factories.flash import pay as flash_pay
from tests.factories.orders import buy, own_rollbacks, place, post, refund
from tests.factories.shop import ProductFactory
from tests.factories.wallet import deposit

__all__ = ["own_rollbacks"]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_rollbacks")]


def days(back: int = 40) -> Period:
    today = clock.now().date()
    return Period(today - timedelta(days=back), today, Granularity.DAY)


def counted() -> dict[str, Any]:
    sales_count()
    methods_count()
    cache.clear()
    return selectors.dashboard(days())


def aged(number: str, **back: float) -> None:
    """The order lies that far in the past, with its history."""
    moment = clock.now() - timedelta(**back)
    Order.objects.filter(number=number).update(placed_at=moment, paid_at=moment)
    OrderLine.objects.filter(order__number=number).update(purchased_at=moment)
    # Django's own queryset: the table's own has no update.
    QuerySet(OrderEvent).filter(order__number=number).update(created_at=moment)


def sums(found: dict[str, Any]) -> tuple[str, int, int]:
    return found["revenue"], found["orders"], found["units"]


def test_an_order_of_two_products_is_one_order(
    api: Any, sandbox: Any, drain: Callable[..., int]
) -> None:
    lamp, chair = ProductFactory(stock=9), ProductFactory(stock=9)
    buy(api, drain, (lamp.slug, 2), (chair.slug, 1))
    buy(api, drain, (chair.slug, 1))
    found = counted()
    assert sums(found) == ("40.00", 2, 4)
    assert found["average_order_value"] == "20.00"
    assert [(row["product"], row["orders"]) for row in found["by_product"]] == [
        (lamp.slug, 1),
        (chair.slug, 2),
    ]
    last = found["by_day"][-1]
    assert (last["orders"], last["revenue"], last["units"]) == (2, "40.00", 4)
    assert len(found["by_day"]) == 41


def test_ways_to_pay_add_up_to_the_whole_and_refunds_count_when_they_are_decided(
    api: Any, staff_api: Any, sandbox: Any, drain: Callable[..., int]
) -> None:
    lamp = ProductFactory(stock=9)
    deposit(api, drain, "50.00")
    old = buy(api, drain, (lamp.slug, 2))
    aged(old["number"], days=20)
    place(api, (lamp.slug, 1), method="wallet")
    sales_recount()
    assert refund(staff_api, old["payment"], amount="5.00").status_code == 201
    drain()
    found = counted()
    assert {row["method"]: (row["orders"], row["revenue"]) for row in found["by_method"]} == {
        "stripe": (1, "20.00"),
        "wallet": (1, "10.00"),
    }
    assert sums(found) == ("30.00", 2, 3)
    assert (found["refunds"]["count"], found["refunds"]["amount"]) == (1, "5.00")
    assert found["by_day"][-1]["refunded"] == "5.00"
    assert found["by_day"][-21]["revenue"] == "20.00"
    # A deposit that goes back is no refund of a sale.
    assert Refund.objects.count() == 1
    assert sales_differences() == methods_differences() == []


def test_holds_are_told_by_when_they_were_made(
    api: Any, sandbox: Any, drain: Callable[..., int]
) -> None:
    lamp = ProductFactory(stock=9)
    buy(api, drain, (lamp.slug, 1))
    gone = place(api, (lamp.slug, 1))
    place(api, (lamp.slug, 1))
    assert counted()["conversion"]["rate"] == "1.0000"
    aged(gone["number"], days=3)
    Order.objects.filter(number=gone["number"]).update(paid_at=None)
    OrderLine.objects.filter(order__number=gone["number"]).update(purchased_at=None)
    sales_recount()
    # Days later it lapses: the day on which it was placed is counted again.
    assert post(api, f"/api/v1/orders/{gone['number']}/cancel/").status_code == 200
    found = counted()["conversion"]
    assert (found["placed"], found["paid"], found["lapsed"], found["open"]) == (3, 1, 1, 1)
    assert found["rate"] == "0.5000"
    then = clock.now().date() - timedelta(days=3)
    assert OrdersDay.objects.get(day=then).lapsed == 1


def test_nothing_sold_is_no_average_and_no_rate() -> None:
    found = counted()
    assert sums(found) == ("0.00", 0, 0)
    assert found["average_order_value"] is None
    assert found["conversion"]["rate"] is None


def test_slow_sellers_begin_with_what_nobody_bought(
    api: Any, sandbox: Any, drain: Callable[..., int]
) -> None:
    Product.objects.update(archived_at=clock.now())
    lamp, chair = ProductFactory(stock=9), ProductFactory(stock=9)
    buy(api, drain, (lamp.slug, 2))
    found = counted()
    assert [row["product"] for row in found["slow_sellers"]] == [chair.slug, lamp.slug]
    assert [row["product"] for row in found["top_sellers"]] == [lamp.slug]


# What a change of price did.


def repriced(product: Product, minor: int, **back: float) -> datetime:
    product_update(slug=product.slug, changes={"list_price": minor}, actor_id=None)
    moment = clock.now() - timedelta(**back)
    change = PriceChange.objects.filter(product=product).latest("pk")
    QuerySet(PriceChange).filter(pk=change.pk).update(changed_at=moment)
    return moment


def test_the_effect_of_a_price_is_units_a_day_before_and_after_it(
    api: Any, sandbox: Any, drain: Callable[..., int]
) -> None:
    lamp = ProductFactory(stock=99)
    QuerySet(PriceChange).filter(product=lamp).update(changed_at=clock.now() - timedelta(days=30))
    for units, back in ((4, 8.0), (2, 4.01), (3, 3.99), (9, 1.0)):
        aged(buy(api, drain, (lamp.slug, units))["number"], days=back)
    repriced(lamp, 800, days=4)
    repriced(lamp, 700, days=2)
    sales_recount()
    latest, earlier = counted()["price_changes"]
    assert (earlier["old"]["list_price"], earlier["new"]["list_price"]) == ("10.00", "8.00")
    # Fourteen days before, as long as the price held after: a part of an hour counts as a part.
    assert earlier["before"]["units"] == 6
    assert Decimal(earlier["before"]["days"]) == pytest.approx(14, abs=0.1)
    assert Decimal(earlier["before"]["units_per_day"]) == pytest.approx(
        Decimal("0.43"), abs=Decimal("0.01")
    )
    assert earlier["after"] == {"units": 3, "days": "2.0", "units_per_day": "1.50"}
    assert latest["before"] == earlier["after"]
    assert latest["after"]["units"] == 9
    assert latest["after"]["units_per_day"] == "4.50"


def test_a_price_of_a_minute_ago_is_too_young_to_tell() -> None:
    lamp = ProductFactory(stock=9)
    QuerySet(PriceChange).filter(product=lamp).update(changed_at=clock.now() - timedelta(days=3))
    repriced(lamp, 800, minutes=1)
    [change] = counted()["price_changes"]
    assert change["after"]["units_per_day"] is None
    assert change["before"] == {"units": 0, "days": "3.0", "units_per_day": "0.00"}


def test_the_first_price_of_a_product_is_no_change() -> None:
    ProductFactory(stock=9)
    assert counted()["price_changes"] == []


# Flash runs.


def test_a_runs_curve_is_its_paid_purchases_over_time() -> None:
    run = live_run(units=5)
    for _ in range(3):
        flash_pay(flash_buy(run, 1))
    flash_buy(run, 1)
    run.purchases.filter(paid_at__isnull=False).update(paid_at=clock.now() - timedelta(seconds=9))
    positions_give(run_id=run.pk)
    [told] = counted()["flash_runs"]
    assert (told["sold"], told["held"], told["allocation"]) == (3, 1, 5)
    assert [point["purchases"] for point in told["curve"]] == [1, 2, 3]
    assert list(statistics_are_sums_of_rows()) == []


# They are sums of rows, or a breach.


def settled_past(api: Any, drain: Callable[..., int]) -> None:
    lamp = ProductFactory(stock=9)
    aged(buy(api, drain, (lamp.slug, 2))["number"], days=3)
    sales_recount()
    methods_count()
    call_command("rebuild_statistics", stdout=StringIO())
    assert list(statistics_are_sums_of_rows()) == []


@pytest.mark.parametrize("model", [OrdersDay, MethodDay, MethodHour])
def test_figures_that_are_not_the_sums_of_their_rows_are_a_breach(
    model: Any, api: Any, sandbox: Any, drain: Callable[..., int]
) -> None:
    settled_past(api, drain)
    model.objects.update(amount=1, orders=1)
    assert [line for line in invariants.breaches() if line.startswith("10 ")]
    call_command("rebuild_statistics", stdout=StringIO())
    assert list(statistics_are_sums_of_rows()) == []


def test_what_was_bought_since_the_count_is_a_lag_and_no_breach(
    api: Any, sandbox: Any, drain: Callable[..., int]
) -> None:
    settled_past(api, drain)
    then = clock.now() - timedelta(hours=2)
    SalesMark.objects.update(counted_until=then)
    buy(api, drain, (ProductFactory(stock=9).slug, 1))
    assert list(statistics_are_sums_of_rows()) == []


def test_a_run_that_is_over_and_kept_otherwise_is_a_breach() -> None:
    run = live_run(units=2)
    flash_pay(flash_buy(run, 1))
    long_ago = clock.now() - timedelta(days=1)
    type(run).objects.filter(pk=run.pk).update(
        starts_at=long_ago - timedelta(hours=1), ends_at=None, ended_at=long_ago, end="staff"
    )
    sales_count()
    QuerySet(OrderEvent).update(created_at=long_ago)
    sales_count()
    assert list(statistics_are_sums_of_rows()) == []
    RunSales.objects.update(sold=0)
    assert any("run" in line for line in statistics_are_sums_of_rows())


def test_a_run_that_begins_while_the_books_are_checked_ends_no_check(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sales_count()
    live_run(units=2)
    monkeypatch.setattr(truth, "runs_to_count", lambda **_: set())
    assert list(truth.run_differences()) == []


def test_a_line_is_bought_at_the_very_moment_of_its_order(
    api: Any, sandbox: Any, drain: Callable[..., int]
) -> None:
    """Else an order of the turn of an hour would be counted in one and its units in the next."""
    order = buy(api, drain, (ProductFactory(stock=9).slug, 1))
    row = Order.objects.get(number=order["number"])
    assert row.lines.get().purchased_at == row.paid_at


def test_hours_side_by_side_are_read_at_once() -> None:
    start = datetime.fromisoformat("2026-11-01T05:00:00+00:00")
    hours = [start + number * rules.HOUR for number in (0, 1, 2, 7, 9, 10)]
    assert [(a.hour, b.hour) for a, b in rules.stretches(hours)] == [(5, 8), (12, 13), (14, 16)]

"""Sales figures: sums of the order lines, however late, often or parallel they are counted."""

from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import QuerySet
from django.test.utils import CaptureQueriesContext

from common import clock, moments
from shop.models import Order, OrderEvent, OrderLine, Product, SalesDay, SalesHour, SalesMark
from shop.statistics import selectors, services
from tests.factories.flash import buy as flash_buy
from tests.factories.flash import live_run
from tests.factories.flash import pay as flash_pay
from tests.factories.orders import buy, refund
from tests.factories.shop import ProductFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_rollbacks")]

from tests.factories.orders import own_rollbacks  # noqa: E402

__all__ = ["own_rollbacks"]


def figures(product: Product) -> tuple[int, ...]:
    """(units, amount, refunded units, refunded) over all days, which the hours must equal."""
    kept = ("units", "amount", "refunded_units", "refunded")
    sums = [
        tuple(sum(values) for values in zip(*rows, strict=True)) or (0, 0, 0, 0)
        for rows in (
            list(model.objects.filter(product=product).values_list(*kept))
            for model in (SalesHour, SalesDay)
        )
    ]
    assert sums[0] == sums[1]
    return sums[0]


def moved(order: Any, **back: float) -> None:
    """The purchase lies that far in the past."""
    moment = clock.now() - timedelta(**back)
    Order.objects.filter(number=order["number"]).update(placed_at=moment, paid_at=moment)
    # Django's own queryset: the table's own has no update.
    QuerySet(OrderEvent).filter(order__number=order["number"]).update(created_at=moment)
    OrderLine.objects.filter(order__number=order["number"]).update(purchased_at=moment)


def test_what_was_paid_counts_and_what_was_not_does_not(
    api: Any, sandbox: Any, drain: Callable[..., int]
) -> None:
    lamp, chair = ProductFactory(stock=9), ProductFactory(stock=9)
    buy(api, drain, (lamp.slug, 2), (chair.slug, 1))
    flash_buy(live_run(units=3))
    services.sales_count()
    assert figures(lamp) == (2, 2000, 0, 0)
    assert figures(chair) == (1, 1000, 0, 0)
    assert SalesHour.objects.count() == 2


def test_a_refund_counts_in_the_hour_of_its_purchase_however_late_it_comes(
    api: Any, staff_api: Any, sandbox: Any, drain: Callable[..., int]
) -> None:
    lamp = ProductFactory(stock=9)
    order = buy(api, drain, (lamp.slug, 3))
    moved(order, days=20)
    services.sales_recount()
    day = clock.now().date() - timedelta(days=20)
    assert SalesDay.objects.get(product=lamp).day == day
    lines = [{"product": lamp.slug, "quantity": 1}]
    assert refund(staff_api, order["payment"], lines=lines).status_code == 201
    drain()
    services.sales_count()
    assert figures(lamp) == (3, 3000, 1, 1000)
    assert SalesDay.objects.get(product=lamp).day == day


def test_counting_twice_or_late_gives_the_same_rows(
    api: Any, sandbox: Any, drain: Callable[..., int]
) -> None:
    lamp = ProductFactory(stock=9)
    buy(api, drain, (lamp.slug, 2))
    services.sales_count()
    once = list(SalesHour.objects.values_list("hour", "product_id", *selectors.PRODUCTS.fields))
    services.sales_count()
    SalesMark.objects.update(counted_until=clock.now() - timedelta(days=2))
    services.sales_count()
    services.sales_recount()
    assert (
        list(SalesHour.objects.values_list("hour", "product_id", *selectors.PRODUCTS.fields))
        == once
    )
    assert services.sales_differences() == []


def test_a_purchase_that_is_committed_after_its_moment_was_counted_is_found(
    api: Any, sandbox: Any, drain: Callable[..., int]
) -> None:
    """As long as its transaction takes less than SLACK."""
    lamp = ProductFactory(stock=9)
    order = buy(api, drain, (lamp.slug, 1))
    moved(order, minutes=4)
    SalesMark.objects.create(name="sales", counted_until=clock.now())
    services.sales_count()
    assert figures(lamp)[0] == 1


def test_control_without_the_slack_such_a_purchase_is_missed(
    api: Any, sandbox: Any, drain: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moments, "SLACK", timedelta(0))
    lamp = ProductFactory(stock=9)
    order = buy(api, drain, (lamp.slug, 1))
    moved(order, hours=2)
    last = OrderEvent.objects.latest("pk").pk
    SalesMark.objects.create(name="sales", counted_until=clock.now(), last_event=last)
    services.sales_count()
    assert figures(lamp)[0] == 0
    assert any("None kept" in line for line in services.sales_differences())


def test_a_shop_that_has_never_counted_counts_all_of_its_past(
    api: Any, sandbox: Any, drain: Callable[..., int]
) -> None:
    lamp = ProductFactory(stock=9)
    moved(buy(api, drain, (lamp.slug, 1)), days=90)
    buy(api, drain, (lamp.slug, 1))
    services.sales_count()
    assert figures(lamp)[0] == 2
    assert services.sales_differences() == []


def test_the_command_says_what_is_wrong_and_puts_it_right(
    api: Any, sandbox: Any, drain: Callable[..., int]
) -> None:
    lamp = ProductFactory(stock=9)
    moved(buy(api, drain, (lamp.slug, 2)), days=3)
    call_command("rebuild_statistics", stdout=StringIO())
    SalesHour.objects.update(units=7)
    errors = StringIO()
    with pytest.raises(CommandError, match="differences"):
        call_command("rebuild_statistics", "--check", stderr=errors, stdout=StringIO())
    assert f"product {lamp.pk}" in errors.getvalue()
    call_command("rebuild_statistics", stdout=StringIO())
    out = StringIO()
    call_command("rebuild_statistics", "--check", stdout=out)
    assert "sums of the orders" in out.getvalue()
    assert figures(lamp)[0] == 2


def test_a_day_that_is_not_the_sum_of_its_hours_is_a_difference(
    api: Any, sandbox: Any, drain: Callable[..., int]
) -> None:
    moved(buy(api, drain, (ProductFactory(stock=9).slug, 2)), days=3)
    services.sales_recount()
    SalesDay.objects.update(amount=99_999)
    assert [line for line in services.sales_differences() if "not the sum of its hours" in line]


def test_units_of_a_flash_sale_count_like_others() -> None:
    run = live_run(units=3)
    flash_pay(flash_buy(run, 2))
    services.sales_count()
    assert figures(run.sale.product)[:2] == (2, 1000)


def test_best_sellers_are_by_units_that_were_kept() -> None:
    today = clock.now().date()
    one, two, gone, old = (ProductFactory() for _ in range(4))
    away = ProductFactory(archived_at=clock.now())
    for product, units, back, day in (
        (one, 9, 8, 0),
        (two, 5, 0, 1),
        (gone, 4, 4, 0),
        (old, 99, 0, 40),
        (away, 50, 0, 0),
    ):
        sold = {"orders": 1, "units": units, "amount": units * 1000}
        given = {"refunded_units": back, "refunded": back * 1000}
        SalesDay.objects.create(product=product, day=today - timedelta(days=day), **sold, **given)
    found = selectors.best_sellers(since=today - timedelta(days=29), limit=9)
    assert found == [(two.pk, 5), (one.pk, 1)]


def test_units_of_a_day_are_those_that_were_kept_of_all_products() -> None:
    today = clock.now().date()
    one, two = ProductFactory(), ProductFactory()
    for product, units, back, ago in (
        (one, 9, 8, 0),
        (two, 5, 0, 0),
        (one, 3, 0, 1),
        (two, 7, 0, 9),
    ):
        SalesDay.objects.create(
            product=product,
            day=today - timedelta(days=ago),
            orders=1,
            units=units,
            amount=units * 1000,
            refunded_units=back,
            refunded=back * 1000,
        )
    yesterday = today - timedelta(days=1)
    assert selectors.units_by_day(since=yesterday) == {today: 6, yesterday: 3}
    kept = selectors.units_by_product([one.pk], since=yesterday)
    assert kept == {(today, one.pk): 1, (yesterday, one.pk): 3}


def test_what_counting_costs_does_not_grow_with_orders(
    api: Any, sandbox: Any, drain: Callable[..., int]
) -> None:
    lamp = ProductFactory(stock=99)
    counts = []
    for number in (1, 4):
        for _ in range(number):
            buy(api, drain, (lamp.slug, 1))
        services.sales_count()
        with CaptureQueriesContext(
            connection,
        ) as queries:
            services.sales_count()
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_events_beyond_the_slack_are_not_read_again(
    api: Any, staff_api: Any, sandbox: Any, drain: Callable[..., int]
) -> None:
    order = buy(api, drain, (ProductFactory(stock=9).slug, 2))
    refund(staff_api, order["payment"])
    drain()
    services.sales_count()
    last = OrderEvent.objects.latest("pk").pk
    assert SalesMark.objects.get().last_event < last
    soon = clock.now() + timedelta(hours=2)
    assert selectors.last_event_before(soon, after=0) == last
    assert selectors.hours_touched(after=0, before=soon) != set()
    assert selectors.hours_touched(after=last, before=soon) == set()

"""Sums by month: those of their days at every moment, and what is read of them."""

import random
from datetime import UTC, date, datetime, timedelta
from itertools import chain, repeat
from typing import Any

import pytest
from django.db import connection
from django.db.models import Count, Sum
from django.test.utils import CaptureQueriesContext

from common import moments
from config.statistics_invariants import statistics_are_sums_of_rows
from shop.models import OrderLine, Product, SalesDay, SalesMark, SalesMonth
from shop.statistics import rules, selectors, services
from tests.factories.sales import at, given_back, sold
from tests.factories.shop import ProductFactory

pytestmark = pytest.mark.django_db

OCTOBER, NOVEMBER = date(2025, 10, 1), date(2025, 11, 1)
END = datetime(2025, 11, 1, tzinfo=UTC)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
Sums = dict[int, tuple[int, ...]]


def counted(moment: datetime) -> None:
    with at(moment):
        services.sales_count()


def read(since: date, until: date, product_id: int | None = None) -> Sums:
    found = selectors.by_product(since=since, until=until, product_id=product_id)
    return {
        one.product_id: (
            one.orders,
            one.units + one.refunded_units,
            one.amount + one.refunded,
            one.refunded_units,
            one.refunded,
        )
        for one in found
    }


def by_days(since: date, until: date) -> Sums:
    rows = SalesDay.objects.filter(day__gte=since, day__lte=until).values_list("product_id")
    fields = selectors.PRODUCTS.fields
    return {key: (*map(int, row),) for key, *row in rows.annotate(*map(Sum, fields))}


def by_lines(since: date, until: date) -> Sums:
    span = (rules.start_of(since), rules.start_of(until + DAY))
    lines = OrderLine.objects.filter(purchased_at__gte=span[0], purchased_at__lt=span[1])
    sums: Any = lines.values_list("product_id").annotate(
        Count("pk"), Sum("quantity"), Sum("total"), Sum("refunded_quantity"), Sum("refunded")
    )
    return {key: (*map(int, row),) for key, *row in sums}


def kept() -> list[tuple[date, int]]:
    return list(SalesMonth.objects.order_by("month").values_list("month", "units"))


def october(*products: Product) -> OrderLine:
    """Counted, and kept since, with what was sold in its middle; the line of the last product."""
    lines = [sold(product, END - 15 * DAY, units=3) for product in products or [ProductFactory()]]
    counted(END + 10 * DAY)
    assert [month for month, _ in kept()] == [OCTOBER] * len(lines)
    return lines[-1]


class Random:
    """A shop over a year: sales, refunds of whatever was sold, counts; the clock goes on."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.now = datetime(2024, 11, 28, 22, 10, tzinfo=UTC)
        self.products = [ProductFactory() for _ in range(3)]
        self.lines: list[OrderLine] = []

    def pass_time(self) -> None:
        self.now += self.dice.choice([4 * MINUTE, 5 * rules.HOUR, 9 * DAY, 25 * DAY])

    def sell(self) -> None:
        # Its transaction took a while.
        moment = self.now - self.dice.random() * moments.SLACK
        self.lines.append(sold(self.dice.choice(self.products), moment, self.dice.randint(1, 3)))

    def give_back(self) -> None:
        line = self.dice.choice(self.lines) if self.lines else None
        if line is not None and line.refunded_quantity < line.quantity:
            given_back(line, self.now)
            line.refresh_from_db()

    def count(self) -> None:
        counted(self.now)

    def recount(self) -> None:
        with at(self.now):
            services.sales_recount()

    def step(self) -> None:
        steps = (self.pass_time, self.sell, self.give_back, self.count, self.recount)
        self.dice.choices(steps, weights=(24, 24, 12, 12, 1))[0]()

    def period(self) -> tuple[date, date]:
        since = date(2024, 11, 1) + self.dice.randint(0, 500) * DAY
        return since, since + self.dice.choice([0, 1, 27, 30, 31, 59, 92, 365, 800]) * DAY


@pytest.mark.parametrize("seed", range(4))
def test_sums_are_those_of_lines_and_of_days_whatever_happens(seed: int) -> None:
    shop = Random(seed)
    for _ in range(50):
        shop.step()
        since, until = shop.period()
        found, product = read(since, until), shop.dice.choice(shop.products).pk
        assert found == by_days(since, until)
        assert read(since, until, product).get(product) == found.get(product)
        shop.count()
        assert read(since, until) == by_lines(since, until)
    with at(shop.now):
        assert services.sales_differences() == []
    assert len({month for month, _ in kept()}) > 2


def test_a_month_is_kept_once_what_is_on_its_way_must_have_come() -> None:
    """Sold in its last second, committed minutes later."""
    lamp = ProductFactory()
    counted(END - DAY)
    sold(lamp, END - MINUTE, units=2)
    counted(END + MINUTE)
    sold(lamp, END - timedelta(seconds=1))
    counted(END + moments.SLACK - timedelta(seconds=1))
    assert kept() == []
    assert SalesMark.objects.get().months_until is None
    counted(END + moments.SLACK)
    assert kept() == [(OCTOBER, 3)]
    assert SalesMark.objects.get().months_until == NOVEMBER


def test_without_a_sale_no_month_is_due() -> None:
    counted(END)
    counted(END + 40 * DAY)
    assert selectors.month_due(selectors.SALES) is None
    assert read(OCTOBER, NOVEMBER) == {}


def test_a_month_without_sales_is_kept_as_nothing() -> None:
    line = october()
    sold(line.product, END + 70 * DAY)
    counted(END + 100 * DAY)
    assert [month for month, _ in kept()] == [OCTOBER, date(2026, 1, 1)]
    assert SalesMark.objects.get().months_until == date(2026, 2, 1)
    assert read(NOVEMBER, date(2025, 12, 31)) == {}


def test_a_refund_of_an_old_month_writes_it_anew() -> None:
    line = october()
    counted(END + 60 * DAY)
    given_back(line, END + 61 * DAY)
    counted(END + 61 * DAY)
    assert read(OCTOBER, NOVEMBER) == {line.product_id: (1, 3, 3000, 1, 1000)}
    assert services.sales_differences() == []


def test_control_without_that_the_month_is_wrong_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    line = october()
    given_back(line, END + 61 * DAY)
    with monkeypatch.context() as patch:
        patch.setattr(services, "_mend_months", lambda *_: None)
        counted(END + 61 * DAY)
        # Until the refund is older than the slack, each count would write the month.
        counted(END + 61 * DAY + rules.HOUR)
    counted(END + 61 * DAY + 2 * rules.HOUR)
    assert read(OCTOBER, NOVEMBER) == {line.product_id: (1, 3, 3000, 0, 0)}
    told = "sales 2025-10: the month is not the sum of its days"
    assert list(statistics_are_sums_of_rows()) == [f"10 {told}"]
    assert services.sales_differences() == [told]
    services.sales_recount()
    assert services.sales_differences() == []
    assert read(OCTOBER, NOVEMBER) == {line.product_id: (1, 3, 3000, 1, 1000)}


def test_a_day_that_comes_late_before_all_months_is_in_one() -> None:
    line = october()
    old = sold(line.product, END - 100 * DAY)
    counted(END + 11 * DAY)
    assert kept() == [(rules.month_of(old.purchased_at.date()), 1), (OCTOBER, 3)]
    assert read(date(2025, 1, 1), NOVEMBER) == {line.product_id: (2, 4, 4000, 0, 0)}


def test_rows_of_a_month_in_which_nothing_was_sold_are_found_and_put_right() -> None:
    line = october()
    SalesMonth.objects.create(
        product=line.product, month=date(2025, 9, 1), orders=1, units=9, amount=1
    )
    told = "sales 2025-09: the month is not the sum of its days"
    assert services.sales_differences() == [told]
    services.sales_recount()
    assert services.sales_differences() == []


def test_a_shop_that_is_upgraded_reads_days_until_its_months_are_kept() -> None:
    october(ProductFactory(), ProductFactory())
    SalesMonth.objects.all().delete()
    SalesMark.objects.update(months_until=None)
    before = read(OCTOBER, NOVEMBER)
    assert before == by_lines(OCTOBER, NOVEMBER) != {}
    counted(END + 80 * DAY)
    assert len(kept()) == 2
    assert read(OCTOBER, NOVEMBER) == before


def test_months_that_were_kept_before_somebody_died_are_read_and_the_rest_are_days(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lamp = ProductFactory()
    for back in (100, 70, 40, 10):
        sold(lamp, END - back * DAY)
    write, written = services._write_month, []

    def dies(book: Any, month: date) -> None:
        assert len(written) < 2, "killed"
        written.append(month)
        write(book, month)

    with monkeypatch.context() as patch:
        patch.setattr(services, "_write_month", dies)
        with pytest.raises(AssertionError, match="killed"):
            counted(END + DAY)
    assert [month for month, _ in kept()] == written
    period = (written[0], NOVEMBER)
    assert read(*period) == by_lines(*period) == {lamp.pk: (4, 4, 4000, 0, 0)}
    counted(END + DAY)
    assert read(*period) == by_lines(*period)
    assert sum(units for _, units in kept()) == 4


def test_a_clock_that_is_put_back_changes_no_month() -> None:
    line = october()
    counted(END - 10 * DAY)
    assert SalesMark.objects.get().months_until == NOVEMBER
    sold(line.product, END - 10 * DAY)
    counted(END - 9 * DAY)
    assert kept() == [(OCTOBER, 4)]


def test_whole_months_are_read_as_such_in_the_statement_that_reads_the_days() -> None:
    line = october()
    SalesDay.objects.update(units=99)
    with CaptureQueriesContext(connection) as queries:
        found = read(OCTOBER - 3 * DAY, NOVEMBER + 3 * DAY)
    assert len(queries) == 1
    assert found == {line.product_id: (1, 3, 3000, 0, 0)}
    # A period without a whole month asks for none.
    with CaptureQueriesContext(connection) as queries:
        assert read(OCTOBER + DAY, NOVEMBER + 3 * DAY)[line.product_id][1] == 99
    assert "salesmonth" not in queries[0]["sql"]


def an_older_day_meanwhile(monkeypatch: pytest.MonkeyPatch) -> OrderLine:
    """Counted between somebody's look which month is due, the first of all, and his lock."""
    line, keep = sold(ProductFactory(), END - 15 * DAY), services._keep_month

    def late(book: Any) -> None:
        sold(line.product, END - 70 * DAY)
        with at(END + DAY):
            services._count_since(book, None)
        monkeypatch.setattr(services, "_keep_month", keep)
        keep(book)

    monkeypatch.setattr(services, "_keep_month", late)
    return line


def test_a_day_that_is_counted_before_the_first_month_meanwhile_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    line = an_older_day_meanwhile(monkeypatch)
    counted(END + DAY)
    assert read(date(2025, 8, 1), NOVEMBER) == {line.product_id: (2, 2, 2000, 0, 0)}
    assert [month for month, _ in kept()] == [date(2025, 8, 1), OCTOBER]


def test_control_a_month_that_is_not_asked_for_again_under_the_lock_hides_that_day(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    line = an_older_day_meanwhile(monkeypatch)
    # What the first look found, believed once more.
    due = chain([OCTOBER, OCTOBER], repeat(None))
    with monkeypatch.context() as patch:
        patch.setattr(selectors, "month_due", lambda book: next(due))
        counted(END + DAY)
    assert read(date(2025, 8, 1), NOVEMBER) == {line.product_id: (1, 1, 1000, 0, 0)}

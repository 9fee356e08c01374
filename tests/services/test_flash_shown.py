"""Which runs a sale shows: read from few rows, the same as picked from all there ever were."""

from datetime import datetime, timedelta
from typing import Any, Final

import pytest
from django.db.models import Q
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from common import clock
from shop.flash_sales import selectors
from shop.flash_sales.live.rules import shown
from shop.flash_sales.live.selectors import MOST_PLANNED, figures_count
from shop.flash_sales.models import FlashRun, FlashSale
from tests.factories.shop import ProductFactory
from tests.sizes import sized

pytestmark = pytest.mark.django_db

HALF, MINUTE = timedelta(seconds=30), timedelta(minutes=1)
Run = tuple[int, int | None, int | None]

# Minutes from half a minute ago: the start; from there the end, and when it was ended. A run that
# starts 60 minutes from now and was ended 70 before was called off; one that was ended in advance
# is what no service writes.
RUNS: Final = st.lists(
    st.tuples(st.integers(-8, 8), st.none() | st.integers(1, 9), st.none() | st.integers(-9, 9)),
    max_size=14,
)
PAST, OFF, COMING = (-9, 1, 1), (-2, 5, -3), (7, 1, None)


def made(*sales: list[Run]) -> list[FlashSale]:
    """Sales with these runs, and no others."""
    FlashRun.objects.all().delete()
    FlashSale.objects.all().delete()
    now, product = clock.now() - HALF, ProductFactory()
    found = [
        FlashSale.objects.create(slug=f"sale-{n}", product=product, price=1)
        for n, _ in enumerate(sales)
    ]
    FlashRun.objects.bulk_create(
        run_of(sale, number, now, run)
        for sale, runs in zip(found, sales, strict=True)
        for number, run in enumerate(runs, start=1)
    )
    return found


def run_of(sale: FlashSale, number: int, now: datetime, run: Run) -> FlashRun:
    starts_at = now + run[0] * MINUTE
    ends_at, ended_at = (None if n is None else starts_at + n * MINUTE for n in run[1:])
    return FlashRun(
        sale=sale,
        number=number,
        price=1,
        allocation=5,
        starts_at=starts_at,
        ends_at=ends_at,
        ended_at=ended_at,
        end="" if ended_at is None else FlashRun.End.STAFF,
    )


def expected(sale: FlashSale, now: datetime) -> list[int]:
    """Picked from all runs."""
    return [run.number for run in shown(list(sale.runs.order_by("starts_at", "pk")), now)]


def numbers(found: selectors.SaleNow) -> list[int]:
    runs = (found.run and found.run.run, found.next_run)
    return [run.number for run in runs if run is not None]


def wrong(sales: list[FlashSale]) -> list[Any]:
    """Of each sale what is read otherwise than picked from all: alone, among others, live."""
    return [
        (sale.slug, read, picked)
        for sale, among in zip(sales, selectors.sales_now(sales), strict=True)
        for read, picked in answers(sale, among)
        if read != picked
    ]


def answers(sale: FlashSale, among: selectors.SaleNow) -> list[tuple[list[int], list[int]]]:
    alone, figures = selectors.sale_now(sale), figures_count(sale.slug)
    return [
        (numbers(among), expected(sale, among.at)[:2]),
        (numbers(alone), expected(sale, alone.at)[:2]),
        ([run.number for run in figures.runs], expected(sale, figures.at)[: MOST_PLANNED + 1]),
    ]


@settings(
    max_examples=sized(60, 1_000), suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(RUNS, min_size=1, max_size=3))
@example([[], [OFF], [PAST, OFF], [OFF, COMING], [PAST, OFF, COMING]])
@example([[(3, None, -4), (3, None, None), (-3, None, None), (-3, None, -1), (-3, 9, 2)]])
def test_what_is_shown_is_picked_from_all_runs(runs: list[list[Run]]) -> None:
    assert wrong(made(*runs)) == []


@pytest.mark.parametrize("planned", [1, 2, 40])
def test_however_many_are_planned_ahead(planned: int) -> None:
    coming: list[Run] = [(n, 1, None) for n in range(1, planned + 1)]
    assert wrong(made([PAST, *coming], coming, [OFF, *coming])) == []


def test_control_a_run_that_was_called_off_is_taken_for_the_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sales = made([PAST, OFF])
    assert wrong(sales) == []
    monkeypatch.setattr(selectors, "HELD", Q())
    assert len(wrong(sales)) == 3


def test_a_sale_shows_its_runs_by_the_same_queries_however_many_it_had(
    django_assert_num_queries: Any,
) -> None:
    few, many = made([PAST, COMING], [*[PAST] * 400, COMING])
    for sale in (few, many):
        with django_assert_num_queries(2):
            figures_count(sale.slug)
        with django_assert_num_queries(2):
            selectors.sale_now(sale)
        with django_assert_num_queries(2):
            selectors.sales_now([few, sale])

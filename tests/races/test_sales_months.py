"""Months that are kept and written anew while others count, and while somebody reads."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db.models import F

from shop.models import SalesMonth
from shop.statistics import selectors, services
from tests.factories.sales import at, given_back, sold
from tests.factories.shop import ProductFactory
from tests.races.parallel import in_parallel

pytestmark = pytest.mark.django_db(transaction=True)

OCTOBER, DAY = date(2025, 10, 1), timedelta(days=1)
END = datetime(2025, 11, 1, tzinfo=UTC)


def units() -> int:
    """Of all that was sold in three months, whatever came back."""
    found = selectors.by_product(since=date(2025, 8, 1), until=date(2025, 10, 31))
    return sum(one.units + one.refunded_units for one in found)


def three_months() -> list[Any]:
    return [sold(ProductFactory(), END - back * DAY, units=2) for back in (80, 50, 20)]


def test_counts_at_once_keep_each_month_once_and_right() -> None:
    lines = three_months()
    with at(END - 10 * DAY):
        services.sales_count()
    for line in lines:
        given_back(line, END + DAY)
    with at(END + DAY):
        assert {type(found) for found in in_parallel([services.sales_count] * 6)} == {int}
        assert SalesMonth.objects.count() == 3
        assert services.sales_differences() == []
    assert units() == 6


def read_while(monkeypatch: pytest.MonkeyPatch, write: Callable[[], Any]) -> list[int]:
    """What another connection reads between the DELETE and the INSERT of each month."""
    insert, seen = services._insert, []

    def between(shelf: Any, time: str, model: Any, figures: Any) -> None:
        if model is SalesMonth:
            seen.extend(in_parallel([units]))
        insert(shelf, time, model, figures)

    with monkeypatch.context() as patch:
        patch.setattr(services, "_insert", between)
        write()
    return seen


def test_a_month_that_is_written_anew_is_read_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    [line, *_] = three_months()
    with at(END + DAY):
        assert read_while(monkeypatch, services.sales_count) == [6, 6, 6]
        given_back(line, END + DAY)
        assert read_while(monkeypatch, services.sales_count) == [6]
    assert services.sales_differences() == []


def test_control_a_month_that_is_written_in_no_transaction_is_read_half(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    three_months()
    with at(END + DAY):
        services.sales_count()
    # Something to be put right.
    SalesMonth.objects.filter(month=OCTOBER).update(units=F("units") + 1)

    def write() -> None:
        services._write_month(selectors.SALES, OCTOBER)

    assert read_while(monkeypatch, write) == [4]
    assert units() == 6

"""Staff change the next or the live run of a sale; and why that may be refused."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from common import clock
from common.models import AuditEntry
from config import invariants
from shop.flash_sales.models import FlashRun, FlashSale
from shop.flash_sales.services import Plan, run_schedule
from shop.models import Stock, StockMovement
from tests.api.test_flash_sales_staff import at, later, url
from tests.factories.admin import pages, root, send, text_of
from tests.factories.flash import HOUR, buy, live_run, open_run, pay, planned_run
from tests.factories.orders import own_rollbacks, post, settled

__all__ = ["own_rollbacks", "root", "settled"]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_rollbacks", "settled", "sandbox")]


def patch(api: Any, run: FlashRun, **change: Any) -> Any:
    return api.patch(url(run), change, format="json")


def refused(api: Any, run: FlashRun, **change: Any) -> tuple[int, str, str | None]:
    answer = patch(api, run, **change)
    body = answer.json()
    named = [item["field"] for item in body.get("errors", [])]
    return answer.status_code, body["code"], body.get("field") or (named[0] if named else None)


def numbers(run: FlashRun) -> list[int]:
    return list(run.units.order_by("number").values_list("number", flat=True))


def on_hand(run: FlashRun) -> int:
    return Stock.objects.get(product=run.sale.product).on_hand


def another(run: FlashRun, start: datetime, end: datetime | None = None) -> FlashRun:
    return run_schedule(sale_id=run.sale_id, plan=Plan(1, start, end), actor_id=None)


@pytest.mark.parametrize(("units", "left"), [(5, 5), (8, 2), (1, 9)])
def test_a_planned_run_has_more_units_or_fewer(staff_api: Any, units: int, left: int) -> None:
    run = planned_run(units=4, stock=10)
    changed = patch(staff_api, run, allocation=units)
    assert (changed.status_code, changed.json()["run"]["allocation"]) == (200, units)
    assert changed.json()["run"]["remaining"] == units
    assert numbers(run) == list(range(1, units + 1))
    assert on_hand(run) == left
    assert invariants.breaches() == []
    moved = StockMovement.objects.filter(stock_id=run.sale.product_id).order_by("-pk")[0]
    assert (moved.kind, moved.delta) == ("to_run" if units > 4 else "from_run", 4 - units)


def test_units_that_were_given_back_and_taken_again_are_numbered_on(staff_api: Any) -> None:
    run = planned_run(units=4, stock=10)
    for units in (2, 6):
        patch(staff_api, run, allocation=units)
    assert (numbers(run), on_hand(run)) == ([1, 2, 3, 4, 5, 6], 4)
    assert invariants.breaches() == []


def test_a_planned_run_is_put_off_and_brought_forward(staff_api: Any) -> None:
    run = planned_run(units=1)
    for hours in (5, 0.5):
        moment = later(hours=hours)
        assert patch(staff_api, run, starts_at=moment).json()["run"]["starts_at"] == moment


def test_a_planned_run_gets_an_end_and_loses_it(staff_api: Any) -> None:
    run = planned_run(units=1)
    moment = later(hours=2)
    assert patch(staff_api, run, ends_at=moment).json()["run"]["ends_at"] == moment
    assert patch(staff_api, run, ends_at=None).json()["run"]["ends_at"] is None
    run.refresh_from_db()
    assert run.open_end


def test_price_and_run_change_in_one_call_or_not_at_all(staff_api: Any) -> None:
    run = planned_run(units=4, stock=10)
    changed = patch(staff_api, run, price="4.00", allocation=5, per_user_limit=1).json()
    assert (changed["price"], changed["run"]["allocation"]) == ("4.00", 5)
    assert refused(staff_api, run, price="3.00", allocation=11)[1] == "allocation_above_stock"
    run.refresh_from_db()
    assert (run.price, run.allocation, numbers(run)) == (400, 5, [1, 2, 3, 4, 5])
    assert invariants.breaches() == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"allocation": 0}, (400, "min_value", "allocation")),
        ({"allocation": 100_001}, (400, "max_value", "allocation")),
        ({"allocation": None}, (400, "null", "allocation")),
        ({"allocation": "3"}, (400, "invalid", "allocation")),
        ({"allocation": 11}, (409, "allocation_above_stock", None)),
        ({"starts_at": None}, (400, "null", "starts_at")),
        ({"starts_at": "2020-01-01T00:00:00Z"}, (400, "starts_in_the_past", "starts_at")),
        ({"starts_at": "2090-01-01T00:00:00Z"}, (400, "window_reversed", "ends_at")),
        ({"ends_at": "2020-01-01T00:00:00Z"}, (400, "window_reversed", "ends_at")),
        ({"ends_at": "never"}, (400, "invalid", "ends_at")),
        ({"open_end": True}, (400, "unknown_field", "open_end")),
    ],
)
def test_a_change_of_a_planned_run_is_refused_and_leaves_all(
    staff_api: Any, change: dict[str, Any], expected: tuple[int, str, str | None]
) -> None:
    run = planned_run(units=4, stock=10, ends=True)
    before = FlashRun.objects.values().get()
    assert refused(staff_api, run, **change) == expected
    assert FlashRun.objects.values().get() == before
    assert (numbers(run), on_hand(run)) == ([1, 2, 3, 4], 6)


def test_a_window_that_ends_before_it_starts_is_refused_in_one_call_too(staff_api: Any) -> None:
    run = planned_run(units=1)
    change = {"starts_at": later(hours=3), "ends_at": later(hours=2)}
    assert refused(staff_api, run, **change) == (400, "window_reversed", "ends_at")


def test_a_run_moves_among_the_others(staff_api: Any) -> None:
    first = planned_run(units=1, stock=9, ends=True)
    start = first.starts_at
    another(first, start + 4 * HOUR, start + 5 * HOUR)
    assert refused(staff_api, first, ends_at=at(start + 4.5 * HOUR))[1] == "run_overlaps"
    assert patch(staff_api, first, ends_at=None).json()["run"]["ends_at"] == at(start + 4 * HOUR)
    assert refused(staff_api, first, starts_at=at(start + 4.5 * HOUR))[1] == "run_overlaps"
    change = {"starts_at": at(start + 6 * HOUR), "ends_at": None}
    assert patch(staff_api, first, **change).status_code == 200
    first.refresh_from_db()
    assert first.ends_at is None


def test_open_ends_follow_a_run_that_moves(staff_api: Any) -> None:
    first = planned_run(units=1, stock=9, ends=True)
    start = first.starts_at
    second = another(first, start + 2 * HOUR)
    patch(staff_api, first, starts_at=at(start + 3 * HOUR), ends_at=at(start + 4 * HOUR))
    second.refresh_from_db()
    assert second.ends_at == start + 3 * HOUR
    # The second is the next one now; put behind the first, nothing ends it.
    patch(staff_api, second, starts_at=at(start + 5 * HOUR))
    second.refresh_from_db()
    assert second.ends_at is None
    # The first is the next again, and goes behind.
    patch(staff_api, first, starts_at=at(start + 7 * HOUR), ends_at=at(start + 8 * HOUR))
    second.refresh_from_db()
    assert second.ends_at == start + 7 * HOUR


def test_an_open_end_whose_next_run_goes_ahead_of_it_is_open_again(staff_api: Any) -> None:
    later_run = planned_run(units=1, stock=9)
    start = later_run.starts_at
    second = another(later_run, start + 2 * HOUR)
    patch(staff_api, later_run, starts_at=at(start + 3 * HOUR))
    later_run.refresh_from_db()
    second.refresh_from_db()
    assert (second.ends_at, later_run.ends_at) == (start + 3 * HOUR, None)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"allocation": 3}, "allocation"),
        ({"starts_at": "2090-01-01T00:00:00Z"}, "starts_at"),
        ({"starts_at": "2020-01-01T00:00:00Z"}, "starts_at"),
        ({"ends_at": "2020-01-01T00:00:00Z"}, "ends_at"),
        ({"allocation": 9, "ends_at": "2020-01-01T00:00:00Z"}, "ends_at"),
    ],
)
def test_a_live_run_keeps_its_units_and_its_times(
    staff_api: Any, change: dict[str, Any], field: str
) -> None:
    run = live_run(units=4, stock=10, ends=True)
    assert refused(staff_api, run, **change) == (409, "promise_broken", field)
    assert (numbers(run), on_hand(run)) == ([1, 2, 3, 4], 6)


def test_a_live_run_without_an_end_gets_none(staff_api: Any) -> None:
    run = live_run(units=1)
    assert refused(staff_api, run, ends_at=later(hours=9)) == (409, "promise_broken", "ends_at")


def test_a_live_run_lasts_longer_up_to_the_next(staff_api: Any) -> None:
    run = live_run(units=1, stock=9, ends=True)
    assert run.ends_at is not None
    assert patch(staff_api, run, ends_at=at(run.ends_at + HOUR)).status_code == 200
    another(run, run.ends_at + 3 * HOUR, run.ends_at + 4 * HOUR)
    change = at(run.ends_at + 3.5 * HOUR)
    assert refused(staff_api, run, ends_at=change)[:2] == (409, "run_overlaps")
    changed = patch(staff_api, run, ends_at=None, starts_at=at(run.starts_at)).json()
    assert changed["run"]["ends_at"] == at(run.ends_at + 3 * HOUR)


def test_a_sold_out_run_gets_more_units_that_sell_at_once(staff_api: Any) -> None:
    run = live_run(units=1, stock=4)
    buy(run)
    assert patch(staff_api, run, allocation=3).json()["run"]["status"] == "live"
    assert buy(run, 2).units == [2, 3]
    assert on_hand(run) == 1
    assert invariants.breaches() == []


def test_a_unit_that_is_somebodys_is_never_deleted(staff_api: Any) -> None:
    """It cannot be, before the start; the count of what was deleted says so."""
    run = live_run(units=2)
    buy(run, 2)
    FlashRun.objects.update(starts_at=clock.now() + HOUR)
    assert refused(staff_api, run, allocation=1) == (409, "promise_broken", "allocation")
    assert numbers(run) == [1, 2]


def test_the_live_run_is_meant_and_else_the_next(staff_api: Any) -> None:
    run = live_run(units=1, stock=9, ends=True)
    second = another(run, clock.now() + 5 * HOUR)
    patch(staff_api, run, allocation=2)
    assert (len(numbers(run)), len(numbers(second))) == (2, 1)
    FlashRun.objects.filter(pk=run.pk).update(ends_at=clock.now())
    patch(staff_api, run, allocation=4)
    assert (len(numbers(run)), len(numbers(second))) == (2, 4)


@pytest.mark.parametrize("how", ["ended", "paid"])
def test_a_sale_without_a_run_changes_its_price_alone(staff_api: Any, how: str) -> None:
    run = live_run(units=1, stock=3)
    if how == "ended":
        post(staff_api, url(run, "end/"))
    else:
        pay(buy(run))
    for change in ({"allocation": 2}, {"starts_at": later(hours=3)}, {"ends_at": None}):
        expected = (409, "no_run_to_change", None)
        assert refused(staff_api, run, price="1.00", **change) == expected
    assert patch(staff_api, run, price="4.00").json()["price"] == "4.00"


def test_what_changes_nothing_writes_nothing(staff_api: Any) -> None:
    run = open_run(planned_run(units=2))
    audited = AuditEntry.objects.count()
    same = {"allocation": 2, "starts_at": at(run.starts_at), "ends_at": None}
    assert patch(staff_api, run, **same).status_code == 200
    assert AuditEntry.objects.count() == audited


def test_a_change_of_a_run_is_audited(staff_api: Any) -> None:
    run = planned_run(units=2, stock=5)
    patch(staff_api, run, allocation=3)
    entry = AuditEntry.objects.get(action="flash_run.change")
    assert (entry.target, entry.data["allocation"]) == (f"flash_sale:{run.sale.slug}", 3)


def test_customers_change_no_run(api: Any) -> None:
    run = planned_run(units=2, stock=5)
    assert patch(api, run, allocation=3).status_code == 403
    assert numbers(run) == [1, 2]


def test_the_admin_changes_a_run(root: Client) -> None:
    run = live_run(units=2, stock=5, ends=True)
    page = pages(FlashSale, "replan", run.sale_id)
    shown = {"starts_at": f"{run.starts_at:%Y-%m-%d %H:%M:%S}", "number": 1}
    ends_at = f"{run.starts_at + timedelta(days=1):%Y-%m-%d %H:%M:%S}"
    send(root, page, allocation=3, ends_at=ends_at, **shown)
    run.refresh_from_db()
    assert (run.allocation, f"{run.ends_at:%Y-%m-%d %H:%M:%S}") == (3, ends_at)
    refused = send(root, page, allocation=1, ends_at=ends_at, **shown)
    assert "its allocation may not change" in text_of(refused)
    assert numbers(run) == [1, 2, 3]
    shown["number"] = 2
    assert "Another run is the next" in text_of(send(root, page, allocation=4, **shown))


def test_more_units_leave_the_other_runs_as_they_are(staff_api: Any) -> None:
    run = planned_run(units=1, stock=9, ends=True)
    second = another(run, run.starts_at + 2 * HOUR)
    another(run, run.starts_at + 5 * HOUR)
    FlashRun.objects.filter(pk=second.pk).update(ends_at=run.starts_at + 3 * HOUR)
    patch(staff_api, run, allocation=2)
    second.refresh_from_db()
    assert second.ends_at == run.starts_at + 3 * HOUR


def test_a_run_that_is_over_does_not_open_again(staff_api: Any) -> None:
    """Its end was the start of a run that was called off; no sweep has come by."""
    over = live_run(units=1, stock=9)
    second = another(over, clock.now() + HOUR)
    moment = clock.now()
    FlashRun.objects.filter(pk=over.pk).update(ends_at=moment)
    patch(staff_api, second, starts_at=later(hours=3))
    over.refresh_from_db()
    second.refresh_from_db()
    assert (over.ends_at, second.starts_at > moment + 2 * HOUR) == (moment, True)

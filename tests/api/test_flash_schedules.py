"""Schedules over HTTP and in the admin."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from common import clock
from common.models import AuditEntry
from shop.flash_sales.models import FlashRun, FlashSale
from shop.flash_schedules.models import FlashOccurrence, FlashSchedule
from shop.flash_schedules.services import schedules_plan
from shop.models import Stock
from tests.factories.admin import pages, root, send, text_of
from tests.factories.flash import daily, live_run, planned_run
from tests.factories.orders import STAFF, own_rollbacks, post, settled
from tests.factories.shop import ProductFactory

__all__ = ["own_rollbacks", "root", "settled"]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_rollbacks", "settled")]


def url(sale: FlashSale, part: str = "") -> str:
    return f"{STAFF}flash-sales/{sale.slug}/schedules/{part}"


def weekly(**change: Any) -> dict[str, Any]:
    repeat = {
        "frequency": "weekly",
        "first_on": "2030-02-04",
        "time": "18:00",
        "time_zone": "Europe/Berlin",
        "weekdays": ["th", "mo"],
    }
    return {"allocation": 3, "repeat": {**repeat, **change}}


@pytest.fixture
def sale() -> FlashSale:
    found: FlashSale = live_run(units=1, stock=20, ends=True).sale
    return found


def test_a_repeating_rule_is_made_once_and_shows_its_next_moments(
    staff_api: Any, sale: FlashSale, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = weekly(first_on=str(clock.now().date()))
    made, again = (post(staff_api, url(sale), body, key="k") for _ in range(2))
    assert (made.status_code, again.status_code) == (201, 201), made.content
    assert again["Idempotent-Replayed"] == "true"
    shown = made.json()
    assert (shown["active"], shown["allocation"], shown["dates"]) == (True, 3, None)
    assert shown["repeat"]["weekdays"] == ["mo", "th"]
    assert (len(shown["next"]), shown["occurrences"]) == (3, [])
    assert FlashSchedule.objects.count() == 1
    listed = staff_api.get(url(sale)).json()["results"]
    assert [each["id"] for each in listed] == [shown["id"]]
    assert AuditEntry.objects.filter(action="flash_schedule.create").count() == 1


def test_dates_are_planned_and_what_became_of_them_is_shown(
    staff_api: Any, sale: FlashSale
) -> None:
    moments = [(clock.now() + timedelta(hours=n)).isoformat() for n in (4, 8)]
    body = {"allocation": 12, "run_minutes": 60, "dates": moments}
    made = post(staff_api, url(sale), body).json()
    assert (len(made["dates"]), made["repeat"]) == (2, None)
    schedules_plan()
    shown = staff_api.get(url(sale, f"{made['id']}/")).json()["occurrences"]
    assert [(each["state"], each["run"], each["problem"]) for each in shown] == [
        ("waiting", None, "allocation_above_stock"),
        ("planned", 2, ""),
    ]
    assert "7 units are available" in shown[0]["detail"]


def test_a_schedule_is_stopped_and_let_go_on(staff_api: Any, sale: FlashSale) -> None:
    schedule = daily(sale)
    path = url(sale, f"{schedule.uid}/")
    stopped = staff_api.patch(path, {"active": False}, format="json")
    assert (stopped.status_code, stopped.json()["active"]) == (200, False)
    assert stopped.json()["next"] == []
    schedules_plan()
    assert sale.runs.count() == 1
    assert staff_api.patch(path, {"active": True}, format="json").json()["active"]
    schedules_plan()
    assert sale.runs.count() == 2


def test_a_schedule_of_another_sale_is_not_there(staff_api: Any, sale: FlashSale) -> None:
    schedule = daily(planned_run(units=1).sale)
    assert staff_api.get(url(sale, f"{schedule.uid}/")).status_code == 404


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({"allocation": 1}, "one_of", "repeat"),
        (weekly() | {"dates": ["2030-01-01T00:00:00Z"]}, "one_of", "repeat"),
        ({"allocation": 1, "dates": []}, "min_length", "dates"),
        ({"allocation": 1, "dates": ["2020-05-01T00:00:00Z"]}, "never_held", None),
        ({"allocation": 1, "dates": ["9999-12-31T23:59:59Z"]}, "out_of_range", "dates"),
        (weekly() | {"allocation": 0}, "min_value", "allocation"),
        (weekly() | {"run_minutes": 0}, "min_value", "run_minutes"),
        (weekly(time_zone="Mars"), "unknown_time_zone", "repeat.time_zone"),
        (weekly(time="25:00"), "invalid", "repeat.time"),
        (weekly(frequency="hourly"), "invalid_choice", "repeat.frequency"),
        (weekly(weekdays=["monday"]), "invalid_choice", "repeat.weekdays[0]"),
        (weekly(every=0), "min_value", "repeat.every"),
        (weekly(until="2030-01-01"), "out_of_range", "repeat.until"),
        (weekly(until="0001-01-01", first_on="0001-01-01"), "out_of_range", "repeat.first_on"),
        (weekly(frequency="monthly"), "not_monthly", "repeat.weekdays"),
        (weekly(first_on="2026-01-01", until="2026-01-09"), "never_held", None),
        (weekly(hours=3), "unknown_field", "repeat.hours"),
    ],
)
def test_what_is_no_schedule_is_refused(
    staff_api: Any, sale: FlashSale, body: dict[str, Any], code: str, field: str | None
) -> None:
    answer = post(staff_api, url(sale), body)
    assert (answer.status_code, answer.json()["code"]) == (400, code), answer.content
    assert [each["field"] for each in answer.json()["errors"]] == ([field] if field else [])
    assert not FlashSchedule.objects.exists()


def test_a_schedule_is_made_and_stopped_in_the_admin(root: Client, sale: FlashSale) -> None:
    form = {
        "sale": sale.pk,
        "allocation": 2,
        "frequency": "daily",
        "every": 1,
        "first_on": str(clock.now().date()),
        "time": "23:59",
        "time_zone": "UTC",
    }
    add = pages(FlashSchedule, "add")
    assert "no such time zone" in text_of(send(root, add, **{**form, "time_zone": "Mars"}))
    late = send(root, add, **{**form, "first_on": "2020-01-01", "until": "2020-01-02"})
    assert (late.status_code, "No run would start" in text_of(late)) == (200, True)
    assert not FlashSchedule.objects.exists()
    made = send(root, add, **form, once="once")
    assert "is made" in text_of(made)
    assert "carried out before" in text_of(send(root, add, **form, once="once"))
    schedule = FlashSchedule.objects.get()
    assert "Stop the schedule" in text_of(root.get(pages(FlashSchedule, "change", schedule.pk)))
    send(root, pages(FlashSchedule, "stop", schedule.pk))
    schedule.refresh_from_db()
    assert not schedule.active
    send(root, pages(FlashSchedule, "start", schedule.pk))
    schedule.refresh_from_db()
    assert schedule.active


def test_the_admin_shows_which_runs_could_not_be_planned(root: Client, sale: FlashSale) -> None:
    schedule = daily(sale, units=50)
    schedules_plan()
    page = text_of(root.get(pages(FlashSchedule, "change", schedule.pk)))
    assert "19 units are available and 50" in page
    listed = root.get(pages(FlashOccurrence, "changelist"), {"state__exact": "waiting"})
    assert "allocation_above_stock" in text_of(listed)


SALE_FORM = {"price": "5.00", "allocation": 4, "starts_at": "2040-01-31 18:00"}


def test_a_sale_is_made_changed_planned_and_ended_in_the_admin(root: Client) -> None:
    product = ProductFactory(slug="lamp-a", stock=9)
    form = {**SALE_FORM, "product": product.pk, "per_user_limit": 2}
    answer = send(root, pages(FlashSale, "add"), **form)
    assert "its first run planned" in text_of(answer)
    sale = FlashSale.objects.get()
    assert (sale.slug, sale.price, sale.per_user_limit) == ("lamp-a-flash", 500, 2)
    assert Stock.objects.get(product=product).on_hand == 5
    send(
        root,
        pages(FlashSale, "offer", sale.pk),
        price="4.50",
        condition_name="For all",
        admission_rate=7,
    )
    plan = {"allocation": 5, "starts_at": "2040-02-01 18:00"}
    send(root, pages(FlashSale, "schedule", sale.pk), **plan)
    sale.refresh_from_db()
    assert (sale.price, sale.condition_name, sale.per_user_limit) == (450, "For all", None)
    assert sale.admission_rate == 7
    assert list(sale.runs.order_by("number").values_list("price", "allocation")) == [
        (450, 4),
        (450, 5),
    ]
    send(root, pages(FlashSale, "end", sale.pk))
    assert FlashRun.objects.get(number=1).end == "staff"
    audited = AuditEntry.objects.filter(actor_id__isnull=False).order_by("pk")
    assert [act for act in audited.values_list("action", flat=True) if "flash" in act] == [
        "flash_sale.create",
        "flash_run.schedule",
        "flash_sale.change",
        "flash_run.schedule",
        "flash_run.bound",
        "flash_run.end",
    ]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"allocation": 10}, "9 units are available and 10 were asked for"),
        ({"starts_at": "2020-01-01 00:00"}, "A run starts in the future"),
        ({"ends_at": "2039-01-01 00:00"}, "A run ends after it has started"),
        ({"slug": "taken"}, "Another flash sale has this slug"),
        ({"slug": "Not a slug"}, "Lower-case letters"),
        ({"price": "0"}, "greater than or equal to 0.01"),
        ({"price": "1e99"}, "less than or equal to"),
        ({"price": "NaN"}, "Enter a number"),
        ({"per_user_limit": "-1"}, "greater than or equal to 1"),
        ({"starts_at": "9999-12-31 23:59", "ends_at": ""}, "its first run planned"),
        ({"product": "0"}, "Select a valid choice"),
    ],
)
def test_why_a_sale_is_refused_is_shown_on_its_form(
    root: Client, change: dict[str, Any], words: str
) -> None:
    product = ProductFactory(stock=9)
    FlashSale.objects.create(slug="taken", product=product, price=100)
    form = {**SALE_FORM, "product": product.pk, **change}
    answer = send(root, pages(FlashSale, "add"), **form)
    assert (answer.status_code, words in text_of(answer)) == (200, True), text_of(answer)
    assert FlashSale.objects.count() == 1 + (words == "its first run planned")


def test_a_broken_promise_is_shown_on_the_form(root: Client) -> None:
    run = live_run(units=1, price=500)
    answer = send(root, pages(FlashSale, "offer", run.sale_id), price="9.00")
    assert "may not change to its buyers" in text_of(answer)
    assert "9.00" in text_of(answer)

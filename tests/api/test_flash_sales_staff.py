"""Flash sales for staff: planned, changed, held again, ended; and why that may be refused."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from common import clock
from shop.flash_sales import selectors
from shop.flash_sales.models import FlashRun, FlashSale
from shop.models import Stock
from tests.factories.flash import live_run, open_run, planned_run
from tests.factories.orders import STAFF, own_rollbacks, post, settled
from tests.factories.shop import ProductFactory

__all__ = ["own_rollbacks", "settled"]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_rollbacks", "settled", "sandbox")]

SALES = f"{STAFF}flash-sales/"


def url(run: FlashRun, part: str = "") -> str:
    return f"{SALES}{run.sale.slug}/{part}"


def at(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def later(**after: float) -> str:
    return at(clock.now() + timedelta(**after))


def sale_body(**change: Any) -> dict[str, Any]:
    body = {"product": "lamp-x", "price": "5.00", "allocation": 4, "starts_at": later(hours=1)}
    return {**body, **change}


@pytest.fixture
def lamp() -> Any:
    return ProductFactory(slug="lamp-x", list_price=1999, stock=10)


def test_a_sale_is_made_with_its_first_run(staff_api: Any, lamp: Any) -> None:
    body = sale_body(
        slug="flash-lamp",
        ends_at=later(hours=2),
        per_order_limit=1,
        per_user_limit=2,
        condition={"name": "Evening", "description": "After six."},
    )
    made = post(staff_api, SALES, body)
    assert made.status_code == 201, made.content
    sale = made.json()
    assert (sale["slug"], sale["product"]) == ("flash-lamp", "lamp-x")
    assert (sale["price"], sale["list_price"]) == ("5.00", "19.99")
    assert (sale["per_order_limit"], sale["per_user_limit"]) == (1, 2)
    assert sale["condition"] == body["condition"]
    run = sale["run"]
    assert (run["number"], run["status"], run["allocation"]) == (1, "scheduled", 4)
    assert (run["starts_at"], run["ends_at"]) == (body["starts_at"], body["ends_at"])
    assert Stock.objects.get(product=lamp).on_hand == 6


def test_a_sale_without_a_slug_gets_one_of_its_own(staff_api: Any, lamp: Any) -> None:
    made = [post(staff_api, SALES, sale_body(allocation=1)).json() for _ in range(3)]
    assert [sale["slug"] for sale in made] == ["lamp-x-flash", "lamp-x-flash-2", "lamp-x-flash-3"]
    assert made[0]["condition"] == {"name": "", "description": ""}
    long = ProductFactory(slug="x" * 100, sku="LONG", stock=9)
    slugs = [
        post(staff_api, SALES, sale_body(product=long.slug, allocation=1)).json()["slug"]
        for _ in range(2)
    ]
    assert slugs == ["x" * 80 + "-flash", "x" * 80 + "-flash-2"]


@pytest.mark.parametrize(
    ("change", "status", "code", "field"),
    [
        ({"product": "no-such"}, 400, "unknown_product", "product"),
        ({"price": "0"}, 400, "not_positive", "price"),
        ({"price": "1000000.00"}, 400, "too_large", "price"),
        ({"allocation": 0}, 400, "min_value", "allocation"),
        ({"allocation": 100_001}, 400, "max_value", "allocation"),
        ({"allocation": None}, 400, "null", "allocation"),
        ({"allocation": 11}, 409, "allocation_above_stock", None),
        ({"starts_at": "2020-01-01T00:00:00Z"}, 400, "starts_in_the_past", "starts_at"),
        ({"starts_at": "soon"}, 400, "invalid", "starts_at"),
        ({"ends_at": "2020-01-01T00:00:00Z"}, 400, "window_reversed", "ends_at"),
        ({"per_order_limit": 0}, 400, "min_value", "per_order_limit"),
        ({"per_user_limit": 100_001}, 400, "max_value", "per_user_limit"),
        ({"condition": {"description": "Why?"}}, 400, "required", "condition.name"),
        ({"condition": {"name": "", "who": ""}}, 400, "unknown_field", "condition.who"),
        ({"slug": "Not a slug"}, 400, "invalid", "slug"),
        ({"slug": "taken"}, 409, "slug_taken", None),
        ({"number": 7}, 400, "unknown_field", "number"),
    ],
)
def test_a_sale_is_refused_and_leaves_nothing(
    staff_api: Any, lamp: Any, change: dict[str, Any], status: int, code: str, field: str | None
) -> None:
    FlashSale.objects.create(slug="taken", product=lamp, price=100)
    answer = post(staff_api, SALES, sale_body(**change))
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert [e["field"] for e in answer.json()["errors"]] == ([] if field is None else [field])
    assert FlashSale.objects.count() == 1
    assert Stock.objects.get(product=lamp).on_hand == 10


def test_the_same_key_makes_one_sale_one_run_and_one_end(staff_api: Any, lamp: Any) -> None:
    slug = "s" * 100
    body = sale_body(allocation=1, ends_at=later(hours=2), slug=slug)
    runs, again = f"{SALES}{slug}/runs/", {"starts_at": later(hours=3)}
    for path, sent, status in (
        (SALES, body, 201), (runs, again, 201), (f"{SALES}{slug}/end/", None, 200),
    ):  # fmt: skip
        first, second = (post(staff_api, path, sent, key="k") for _ in range(2))
        assert (first.status_code, second.status_code) == (status, status)
        assert second["Idempotent-Replayed"] == "true"
        assert {**second.json(), "server_time": 0} == {**first.json(), "server_time": 0}
    assert FlashRun.objects.filter(ended_at=None).count() == FlashSale.objects.count() == 1


def test_what_a_change_leaves_out_stays(staff_api: Any) -> None:
    run = planned_run(units=1, price=500, per_user_limit=2, condition_name="Members")
    changed = staff_api.patch(url(run), {"price": "6.00", "per_order_limit": 1}, format="json")
    assert (changed.status_code, changed.json()["price"]) == (200, "6.00")
    assert (changed.json()["per_order_limit"], changed.json()["per_user_limit"]) == (1, 2)
    assert changed.json()["condition"]["name"] == "Members"
    body = {"per_user_limit": None, "condition": {"name": "All", "description": "Come."}}
    changed = staff_api.patch(url(run), body, format="json").json()
    assert (changed["price"], changed["per_user_limit"]) == ("6.00", None)
    assert changed["condition"] == body["condition"]
    run.refresh_from_db()
    assert (run.price, run.per_order_limit, run.per_user_limit) == (600, 1, None)


def test_what_somebody_else_has_just_changed_stays_too(
    staff_api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, read = planned_run(units=1), selectors.sale_get

    def read_early(slug: str) -> FlashSale:
        found = read(slug)
        FlashSale.objects.update(per_user_limit=7)
        return found

    monkeypatch.setattr(selectors, "sale_get", read_early)
    changed = staff_api.patch(url(run), {"price": "4.00"}, format="json").json()
    assert (changed["price"], changed["per_user_limit"]) == ("4.00", 7)


@pytest.mark.parametrize(
    ("change", "broken"),
    [({"price": "5.01"}, "price"), ({"per_user_limit": 2}, "per_user_limit"),
     ({"per_order_limit": 1}, "per_order_limit")],
)  # fmt: skip
def test_a_live_run_keeps_what_it_promised(
    staff_api: Any, change: dict[str, Any], broken: str
) -> None:
    run = live_run(units=1, price=500, per_user_limit=3)
    answer = staff_api.patch(url(run), change, format="json")
    assert (answer.status_code, answer.json()["code"]) == (409, "promise_broken")
    assert answer.json()["field"] == broken
    assert staff_api.get(url(run)).json()["price"] == "5.00"
    assert staff_api.patch(url(run), {"price": "4.99"}, format="json").status_code == 200


@pytest.mark.parametrize("body", [{"slug": "x"}, {"number": 9}, {"price": None}, {"run": 1}])
def test_what_is_no_term_of_the_offer_is_not_changed(staff_api: Any, body: dict[str, Any]) -> None:
    answer = staff_api.patch(url(planned_run(units=1)), body, format="json")
    assert (answer.status_code, [e["field"] for e in answer.json()["errors"]]) == (400, [*body])


def test_another_run_has_the_last_ones_allocation_unless_told(staff_api: Any) -> None:
    run = live_run(units=3, stock=12, ends=True)
    second = post(
        staff_api, url(run, "runs/"), {"starts_at": later(hours=4), "ends_at": later(hours=5)}
    )
    assert second.status_code == 201, second.content
    assert (second.json()["number"], second.json()["allocation"]) == (2, 3)
    assert (second.json()["price"], second.json()["status"]) == ("5.00", "scheduled")
    third = post(staff_api, url(run, "runs/"), {"starts_at": later(hours=6), "allocation": 5})
    assert (third.json()["number"], third.json()["allocation"]) == (3, 5)
    listed = staff_api.get(url(run, "runs/")).json()["results"]
    assert [(r["number"], r["status"], r["end"]) for r in listed] == [
        (3, "scheduled", None), (2, "scheduled", None), (1, "live", None),
    ]  # fmt: skip
    assert Stock.objects.get(product=run.sale.product).on_hand == 1


@pytest.mark.parametrize(
    ("starts", "more", "status", "code"),
    [
        (timedelta(hours=1.5), {}, 409, "run_overlaps"),
        (timedelta(hours=3), {"allocation": 9}, 409, "allocation_above_stock"),
        (timedelta(seconds=-1), {}, 400, "starts_in_the_past"),
        (timedelta(hours=3), {"allocation": "3"}, 400, "invalid"),
        (timedelta(hours=3), {"price": "1.00"}, 400, "unknown_field"),
    ],
)
def test_a_run_is_refused(
    staff_api: Any, starts: timedelta, more: dict[str, Any], status: int, code: str
) -> None:
    run = planned_run(units=3, stock=6, ends=True)
    body = {"starts_at": at(clock.now() + starts), **more}
    answer = post(staff_api, url(run, "runs/"), body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert FlashRun.objects.count() == 1


def test_a_run_ends_after_it_has_started(staff_api: Any) -> None:
    moment = later(hours=9)
    body = {"starts_at": moment, "ends_at": moment}
    answer = post(staff_api, url(planned_run(units=1), "runs/"), body)
    assert (answer.status_code, answer.json()["code"]) == (400, "window_reversed")
    assert answer.json()["errors"][0]["field"] == "ends_at"


def test_the_first_run_of_a_sale_needs_an_allocation(staff_api: Any, lamp: Any) -> None:
    FlashSale.objects.create(slug="bare", product=lamp, price=100)
    answer = post(staff_api, f"{SALES}bare/runs/", {"starts_at": later(hours=1)})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "allocation")


def test_staff_end_the_open_run_then_call_off_the_next(staff_api: Any) -> None:
    run = live_run(units=3, stock=6, ends=True)
    post(staff_api, url(run, "runs/"), {"starts_at": later(hours=5)})
    ended = post(staff_api, url(run, "end/"))
    assert (ended.status_code, ended.json()["run"]["status"]) == (200, "ended")
    assert ended.json()["next_run"]["number"] == 2
    assert Stock.objects.get(product=run.sale.product).on_hand == 3
    assert post(staff_api, url(run, "end/")).json()["next_run"] is None
    assert Stock.objects.get(product=run.sale.product).on_hand == 6
    over = post(staff_api, url(run, "end/"))
    assert (over.status_code, over.json()["code"]) == (409, "invalid_transition")
    assert [r["end"] for r in staff_api.get(url(run, "runs/")).json()["results"]] == ["staff"] * 2


def test_staff_end_the_run_that_is_open_not_one_that_no_sweep_has_ended(staff_api: Any) -> None:
    first = live_run(units=1, stock=2, ends=True)
    post(staff_api, url(first, "runs/"), {"starts_at": later(hours=5)})
    FlashRun.objects.filter(pk=first.pk).update(ends_at=clock.now())
    second = open_run(FlashRun.objects.get(number=2))
    assert post(staff_api, url(first, "end/")).json()["run"]["number"] == 2
    second.refresh_from_db()
    first.refresh_from_db()
    assert (second.end, first.end) == ("staff", "")

"""Flash sales for visitors and buyers: what they see, what they get, why they are refused."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from rest_framework.test import APIClient

from common import clock
from payments.checkout.services import order_expire
from shop.flash_sales import services
from shop.flash_sales.models import FlashPurchase, FlashRun, FlashSale, FlashUnit
from shop.models import Stock
from tests.factories.flash import HOUR, live_run, open_run, planned_run
from tests.factories.orders import (
    ORDERS,
    confirm,
    get_order,
    own_rollbacks,
    place,
    post,
    settled,
)
from tests.factories.shop import ProductFactory
from tests.factories.users import UserFactory, client_for
from tests.factories.wallet import deposit

__all__ = ["own_rollbacks", "settled"]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_rollbacks", "settled", "sandbox")]

SALES = "/api/v1/flash-sales/"
VISITOR = APIClient()


def url(run: FlashRun, part: str = "") -> str:
    return f"{SALES}{run.sale.slug}/{part}"


def seen(of: FlashRun, part: str = "", **query: Any) -> Any:
    answer = VISITOR.get(url(of, part), query)
    assert answer.status_code == 200, answer.content
    return answer.json()


def purchase(
    client: Any, run: FlashRun, quantity: int = 1, *, method: str = "stripe", key: str | None = None
) -> Any:
    body = {"quantity": quantity, "payment": {"method": method}}
    return post(client, url(run, "purchases/"), body, key=key)


def bought(client: Any, run: FlashRun, quantity: int = 1, **how: Any) -> Any:
    answer = purchase(client, run, quantity, **how)
    assert answer.status_code == 201, answer.content
    return answer.json()


def paid(client: Any, drain: Callable[..., int], run: FlashRun, quantity: int = 1) -> Any:
    """A purchase that was paid by card, a minute ago as the leaderboard sees it."""
    made = bought(client, run, quantity)
    assert confirm(client, made).status_code == 202
    drain()
    mine = FlashPurchase.objects.filter(order__number=made["order"]["number"])
    mine.update(paid_at=clock.now() - timedelta(minutes=1))
    return made


def ended(run: FlashRun) -> FlashRun:
    services.run_end(run_id=run.pk, reason=FlashRun.End.STAFF)
    return run


def test_a_sale_shows_its_terms_its_run_and_the_clock_that_decides() -> None:
    run = planned_run(
        units=5, per_user_limit=2, condition_name="Members", condition_description="Be one."
    )
    found = seen(run)
    assert found.pop("server_time") < found["run"]["starts_at"]
    starts_at = found["run"].pop("starts_at")
    assert starts_at.endswith("Z")
    assert found == {
        "slug": run.sale.slug,
        "product": run.sale.product.slug,
        "currency": "USD",
        "price": "5.00",
        "list_price": f"{run.sale.product.list_price / 100:.2f}",
        "condition": {"name": "Members", "description": "Be one."},
        "per_order_limit": None,
        "per_user_limit": 2,
        "admission_rate": None,
        "run": {
            "number": 1,
            "status": "scheduled",
            "ends_at": None,
            "allocation": 5,
            "remaining": 5,
            "held": 0,
            "sold": 0,
        },
        "next_run": None,
    }


def test_the_next_run_is_shown_beside_the_live_one() -> None:
    run = live_run(units=2, stock=9, ends=True)
    plan = services.Plan(3, clock.now() + 5 * HOUR, clock.now() + 6 * HOUR)
    services.run_schedule(sale_id=run.sale_id, plan=plan, actor_id=None)
    found = seen(run)
    assert (found["run"]["number"], found["run"]["status"]) == (1, "live")
    following = found["next_run"]
    assert (following["number"], following["allocation"]) == (2, 3)
    assert found["run"]["ends_at"] < following["starts_at"] < following["ends_at"]


def test_a_run_that_was_called_off_hides_no_other() -> None:
    run = planned_run(units=2, stock=9)
    services.sale_end(sale_id=run.sale_id, actor_id=1)
    assert (seen(run)["run"]["status"], seen(run)["next_run"]) == ("ended", None)
    plan = services.Plan(3, clock.now() + HOUR / 2)
    live = open_run(services.run_schedule(sale_id=run.sale_id, plan=plan, actor_id=None))
    for starts_at in (run.starts_at, clock.now() - timedelta(seconds=1)):
        FlashRun.objects.filter(pk=run.pk).update(
            starts_at=starts_at, ended_at=starts_at - timedelta(seconds=1)
        )
        found = seen(run)
        assert (found["run"]["number"], found["run"]["status"]) == (2, "live")
        assert found["next_run"] is None
        assert seen(run, "stock/")["run"] == live.number


def test_a_sale_without_a_run_has_none_to_show() -> None:
    sale = FlashSale.objects.create(slug="bare", product=ProductFactory(), price=100)
    run = FlashRun(sale=sale)
    assert (seen(run)["run"], seen(run)["next_run"]) == (None, None)
    assert VISITOR.get(url(run, "stock/")).status_code == 404
    assert seen(run, "leaderboard/")["results"] == []


@pytest.mark.parametrize("part", ["", "stock/", "leaderboard/"])
def test_a_sale_that_there_is_not_is_404(part: str) -> None:
    assert VISITOR.get(f"{SALES}no-such/{part}").status_code == 404


def test_a_purchase_holds_numbered_units_until_they_are_paid(api: Any, drain: Any) -> None:
    run = live_run(units=5, price=700)
    made = bought(api, run, 2)
    assert (made["run"], made["units"]) == (1, [1, 2])
    assert (made["order"]["status"], made["order"]["total"]) == ("pending_payment", "14.00")
    assert made["held_until"] == made["order"]["expires_at"]
    assert (made["payment"]["order"], made["payment"]["amount"]) == (
        made["order"]["number"], "14.00",
    )  # fmt: skip
    stock = seen(run, "stock/")
    assert stock.pop("as_of").endswith("Z")
    assert stock == {
        "run": 1, "status": "live", "allocation": 5, "remaining": 3, "held": 2, "sold": 0,
    }  # fmt: skip
    assert confirm(api, made).status_code == 202
    drain()
    assert get_order(api, made["order"])["status"] == "paid"
    stock = seen(run, "stock/")
    assert (stock["remaining"], stock["held"], stock["sold"]) == (3, 0, 2)


def test_what_the_wallet_pays_is_sold_at_once(api: Any, drain: Any) -> None:
    run = live_run(units=2, price=700)
    refused = purchase(api, run, method="wallet")
    assert (refused.status_code, refused.json()["code"]) == (409, "insufficient_funds")
    deposit(api, drain, "20.00")
    made = bought(api, run, 2, method="wallet")
    assert (made["order"]["status"], made["held_until"], made["units"]) == ("paid", None, [1, 2])
    assert seen(run, "stock/")["status"] == "ended"


def test_before_the_start_and_after_the_end_nothing_is_sold(api: Any) -> None:
    run = planned_run(units=2)
    early = purchase(api, run)
    assert (early.status_code, early.json()["code"]) == (409, "sale_not_started")
    assert early.json()["starts_at"] == seen(run)["run"]["starts_at"]
    late = purchase(api, ended(open_run(run)))
    assert (late.status_code, late.json()["code"]) == (409, "sale_ended")


def test_a_sold_out_run_lives_again_when_a_hold_ends(api: Any) -> None:
    run = live_run(units=2)
    made = bought(client_for(UserFactory()), run, 2)
    refused = purchase(api, run)
    assert (refused.status_code, refused.json()["code"]) == (409, "sold_out")
    assert (refused.json()["requested"], refused.json()["remaining"]) == (1, 0)
    assert seen(run, "stock/")["status"] == "sold_out"
    order = FlashPurchase.objects.get(order__number=made["order"]["number"]).order
    order.expires_at = clock.now()
    order.save()
    assert order_expire(order_id=order.pk)
    assert seen(run, "stock/")["status"] == "live"
    assert bought(api, run)["units"] == [1]


def test_limits_of_a_user_and_of_an_order(api: Any) -> None:
    run = live_run(units=9, per_user_limit=3, per_order_limit=2)
    large = purchase(api, run, 3)
    assert (large.status_code, large.json()["code"]) == (400, "order_limit_exceeded")
    assert (large.json()["limit"], large.json()["errors"][0]["field"]) == (2, "quantity")
    bought(api, run, 2)
    many = purchase(api, run, 2)
    assert (many.status_code, many.json()["code"]) == (409, "user_limit_reached")
    assert (many.json()["limit"], many.json()["left"]) == (3, 1)
    assert bought(api, run)["units"] == [3]
    assert bought(client_for(UserFactory()), run, 2)["units"] == [4, 5]


@pytest.mark.parametrize("quantity", [0, -1, "1", 1.0, True, None, 100_001])
def test_a_quantity_is_a_json_integer_up_to_the_largest_allocation(api: Any, quantity: Any) -> None:
    answer = purchase(api, live_run(units=1), quantity)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "quantity")
    assert not FlashPurchase.objects.exists()


def test_a_purchase_is_refused_as_an_order_would_be(api: Any) -> None:
    run = live_run(units=2, price=99_999_999)
    coin = {"quantity": 1, "payment": {"method": "crypto", "token": "DOGE"}}
    answers = (purchase(api, run, 2), post(api, url(run, "purchases/"), coin))
    assert [(a.status_code, a.json()["code"]) for a in answers] == [
        (400, "total_too_large"), (400, "unknown_token"),
    ]  # fmt: skip
    body = {"quantity": 1, "payment": {"method": "stripe"}, "units": [7]}
    refused = post(api, url(run, "purchases/"), body)
    assert (refused.status_code, refused.json()["code"]) == (400, "unknown_field")
    assert purchase(VISITOR, run).status_code == 401
    missing = post(api, f"{SALES}no-such/purchases/", {"quantity": 1, "payment": body["payment"]})
    assert missing.status_code == 404
    assert FlashUnit.objects.filter(state="free").count() == 2


def test_the_same_key_gives_the_same_units_again(api: Any) -> None:
    run = live_run(units=5)
    first, again = (purchase(api, run, 2, key="k") for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201)
    assert again["Idempotent-Replayed"] == "true"
    assert again.json() == first.json()
    assert again.json()["units"] == [1, 2]
    other = purchase(api, run, 1, key="k")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert seen(run, "stock/")["held"] == 2
    assert bought(api, run, 2, key="another")["units"] == [3, 4]


def test_buying_the_product_takes_nothing_of_the_sale(api: Any) -> None:
    run = live_run(units=3, stock=4, price=100)
    slug = run.sale.product.slug
    order = place(api, (slug, 1))
    assert order["lines"][0]["unit_price"] == seen(run)["list_price"]
    lines = [{"product": slug, "quantity": 1}]
    short = post(api, ORDERS, {"lines": lines, "payment": {"method": "stripe"}})
    assert (short.status_code, short.json()["code"]) == (409, "out_of_stock")
    assert seen(run, "stock/")["remaining"] == 3
    assert Stock.objects.get(product=run.sale.product).held == 1
    assert bought(api, run, 3)["units"] == [1, 2, 3]


def test_sales_are_filtered_by_what_they_are_now_on_every_page(
    api: Any, django_assert_num_queries: Any
) -> None:
    coming = [planned_run(units=1), planned_run(units=1)]
    live, sold_out = live_run(units=1), live_run(units=1)
    bought(api, sold_out)
    over = ended(live_run(units=1))
    expected = {
        "scheduled": coming, "live": [live], "sold_out": [sold_out], "ended": [over],
    }  # fmt: skip
    for status, runs in expected.items():
        # As many for one sale as for two.
        with django_assert_num_queries(3):
            found = VISITOR.get(SALES, {"status": status}).json()
        assert {sale["slug"] for sale in found["results"]} == {run.sale.slug for run in runs}
        assert {sale["run"]["status"] for sale in found["results"]} == {status}
    pages = [
        VISITOR.get(SALES, {"status": "scheduled", "page_size": 1, "page": page}).json()
        for page in (1, 2)
    ]
    assert [page["count"] for page in pages] == [2, 2]
    assert pages[0]["results"] != pages[1]["results"]
    assert (pages[0]["next"] is None, pages[1]["next"]) == (False, None)
    assert VISITOR.get(SALES).json()["count"] == 5
    assert VISITOR.get(SALES, {"page": 2, "page_size": 5}).status_code == 404
    wrong = VISITOR.get(SALES, {"status": "open"}).json()
    assert wrong["errors"][0]["field"] == "status"


def test_the_leaderboard_is_in_pages_in_the_order_of_payment(drain: Any) -> None:
    run = live_run(units=9)
    users = [UserFactory() for _ in range(3)]
    for number, user in enumerate(users, start=1):
        paid(client_for(user), drain, run, number)
        services.positions_give(run_id=run.pk)
    bought(client_for(UserFactory()), run)
    first = seen(run, "leaderboard/", page_size=2)
    second = VISITOR.get(first["next"]).json()
    assert (second["next"], set(first)) == (None, {"next", "previous", "results"})
    entries = [*first["results"], *second["results"]]
    assert [(e["position"], e["buyer"], e["quantity"]) for e in entries] == [
        (n, user.username, n) for n, user in enumerate(users, start=1)
    ]
    assert entries[0]["purchased_at"].endswith("Z")
    assert "@" not in str(entries)
    assert VISITOR.get(second["previous"]).json()["results"] == first["results"]


def test_the_leaderboard_is_of_the_run_that_started_last_or_of_a_given_one(
    api: Any, drain: Any
) -> None:
    run = live_run(units=1, stock=9)
    paid(api, drain, run)
    services.runs_sweep()
    plan = services.Plan(2, clock.now() + HOUR)
    second = services.run_schedule(sale_id=run.sale_id, plan=plan, actor_id=None)
    assert [e["position"] for e in seen(run, "leaderboard/")["results"]] == [1]
    open_run(second)
    assert seen(run, "leaderboard/")["results"] == []
    assert len(seen(run, "leaderboard/", run=1)["results"]) == 1
    assert VISITOR.get(url(run, "leaderboard/"), {"run": 3}).status_code == 404
    for query in ({"run": "x"}, {"run": 0}, {"cursor": "junk"}):
        answer = VISITOR.get(url(run, "leaderboard/"), query)
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, *query)

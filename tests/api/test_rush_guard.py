"""In front of Django: the crowd of a sold-out sale, and nobody else."""

import io
import json
import math
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db.models.functions import Now

from common import clock
from common.moments import moment_text
from config import rush
from payments.checkout.services import flash_purchase
from shop.flash_sales.errors import SaleEnded, SaleNotStarted, SoldOut
from shop.flash_sales.models import FlashRun, FlashSale, FlashUnit
from shop.flash_sales.services import crowd
from shop.orders.models import Order
from tests.factories.flash import live_run
from tests.factories.users import UserFactory, client_for
from tests.factories.wallet import rich

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_stripe")]

SLUG = "lamp-flash"
BODY = {"quantity": 2, "payment": {"method": "wallet"}}


TIMES = (crowd.FRESH_SECONDS, crowd.STALE_SECONDS)


@pytest.fixture(autouse=True)
def _nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """And a minute where there are 50 ms, which a busy machine takes to make a token."""
    monkeypatch.setattr(crowd, "FRESH_SECONDS", 60.0)
    monkeypatch.setattr(crowd, "STALE_SECONDS", 120.0)
    monkeypatch.setattr(crowd, "_KNOWN", {})


def django(environ: dict[str, Any], start: Any) -> list[bytes]:
    """What stands behind the guard; it still finds the body."""
    start("201 Created", [])
    return [environ["wsgi.input"].read()]


def call(body: Any = None, **more: Any) -> tuple[str, dict[str, str], bytes]:
    sent = body if isinstance(body, bytes) else json.dumps(BODY if body is None else body).encode()
    token = client_for(UserFactory())._credentials["HTTP_AUTHORIZATION"]
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": f"/api/v1/flash-sales/{SLUG}/purchases/",
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(sent)),
        "HTTP_AUTHORIZATION": token,
        "wsgi.input": io.BytesIO(sent),
        **more,
    }
    seen: list[Any] = []
    answer = rush.guard(django)(environ, lambda *parts: seen.extend(parts))
    return seen[0], dict(seen[1]), b"".join(answer)


def sold_out(ago: float = 0.0, run_id: int = 1) -> None:
    error = SoldOut(wanted=1, left=0, run_id=run_id)
    crowd.refusal_note(SLUG, error, asked_at=time.monotonic() - ago)


def test_the_crowd_of_a_sold_out_sale_is_answered_at_the_door() -> None:
    sold_out()
    status, headers, body = call()
    assert status == "409 Conflict"
    assert headers["Content-Type"] == "application/problem+json"
    assert len(headers["X-Request-ID"]) == 32
    found = json.loads(body)
    assert (found["code"], found["requested"], found["remaining"]) == ("sold_out", 2, 0)
    assert found["instance"] == f"/api/v1/flash-sales/{SLUG}/purchases/"


def test_a_sale_that_is_over_is_said_to_be_over() -> None:
    crowd.refusal_note(SLUG, SaleEnded(), asked_at=time.monotonic())
    assert json.loads(call()[2])["code"] == "sale_ended"


@pytest.mark.parametrize(
    "more",
    [
        {"HTTP_AUTHORIZATION": ""},
        {"HTTP_AUTHORIZATION": "Bearer made.up.token"},
        {"HTTP_IDEMPOTENCY_KEY": "a-key"},
        {"CONTENT_TYPE": "text/plain"},
        {"CONTENT_LENGTH": ""},
        {"REQUEST_METHOD": "GET"},
        {"PATH_INFO": "/api/v1/flash-sales/another/purchases/"},
        {"PATH_INFO": f"/api/v1/flash-sales/{SLUG}/stock/"},
    ],
)
def test_what_is_not_a_plain_purchase_goes_on(more: dict[str, str]) -> None:
    sold_out()
    assert call(**more)[0] == "201 Created"


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        {"quantity": 0, "payment": {"method": "wallet"}},
        {"quantity": True, "payment": {"method": "wallet"}},
        {"quantity": 1.5, "payment": {"method": "wallet"}},
        {"quantity": 1, "payment": {"method": "barter"}},
        {"quantity": 1, "payment": {"method": ["wallet"]}},
        {"quantity": 1, "payment": {"method": "wallet", "token": "ETH"}},
        {"quantity": 1, "payment": {"method": "wallet"}, "gift": True},
        {"quantity": 1, "payment": "wallet"},
    ],
)
def test_a_body_that_would_be_refused_otherwise_is_left_to_the_view(body: Any) -> None:
    sold_out()
    status, _, passed_on = call(body)
    assert status == "201 Created"
    assert passed_on == (body if isinstance(body, bytes) else json.dumps(body).encode())


def test_a_browser_of_another_site_is_left_to_cors(settings: Any) -> None:
    sold_out()
    settings.CORS_ALLOWED_ORIGINS = ["https://shop.example"]
    assert call(HTTP_ORIGIN="https://shop.example")[0] == "201 Created"


def empty_run() -> FlashRun:
    """An open run without a free unit."""
    run = live_run(units=1)
    FlashUnit.objects.filter(run=run).update(state="returned")
    return run


def test_after_50_ms_mysql_is_asked_by_one_and_after_100_nobody_is_told_the_old_word() -> None:
    assert TIMES == (0.05, 0.1)
    run = empty_run()
    sold_out(ago=70, run_id=run.pk)
    assert call()[0][:3] == "409"
    assert crowd._KNOWN[SLUG].age < 30  # asked anew
    FlashUnit.objects.filter(run=run).update(state="free")
    sold_out(ago=70, run_id=run.pk)
    with crowd._ASKING:  # somebody else is at it
        assert call()[0][:3] == "409"
    assert call()[0][:3] == "201"
    sold_out(ago=130, run_id=run.pk)
    assert call()[0][:3] == "201"


def test_a_hold_that_has_run_out_is_for_the_view_to_end() -> None:
    run = live_run(units=1)
    placed = flash_purchase(
        user_id=UserFactory().pk, slug=run.sale.slug, quantity=1, method="stripe"
    ).placed
    sold_out(ago=70, run_id=run.pk)
    assert call()[0][:3] == "409"
    Order.objects.filter(pk=placed.order.pk).update(expires_at=run.starts_at)
    sold_out(ago=70, run_id=run.pk)
    assert call()[0][:3] == "201"


def test_the_end_of_a_run_is_for_the_view_to_tell() -> None:
    run = empty_run()
    FlashRun.objects.filter(pk=run.pk).update(ended_at=Now(), end="sold")
    sold_out(ago=70, run_id=run.pk)
    assert call()[0][:3] == "201"


def test_a_sale_that_is_over_is_over_until_its_next_run_is_planned() -> None:
    run = live_run(units=1)
    FlashSale.objects.filter(pk=run.sale_id).update(slug=SLUG)
    FlashRun.objects.filter(pk=run.pk).update(ended_at=Now(), end="sold")
    crowd.refusal_note(SLUG, SaleEnded(), asked_at=time.monotonic() - 70)
    assert json.loads(call()[2])["code"] == "sale_ended"
    FlashRun.objects.filter(pk=run.pk).update(ended_at=None, end="")
    crowd.refusal_note(SLUG, SaleEnded(), asked_at=time.monotonic() - 70)
    assert call()[0][:3] == "201"


def coming_run(seconds: float) -> FlashRun:
    """A run of the sale that starts so many seconds from now."""
    run = live_run(units=1)
    FlashSale.objects.filter(pk=run.sale_id).update(slug=SLUG)
    starts_at = clock.now() + timedelta(seconds=seconds)
    FlashRun.objects.filter(pk=run.pk).update(starts_at=starts_at)
    return FlashRun.objects.get(pk=run.pk)


def too_early() -> None:
    with pytest.raises(SaleNotStarted):
        flash_purchase(user_id=UserFactory().pk, slug=SLUG, quantity=1, method="stripe")


def test_the_crowd_before_the_start_is_answered_at_the_door() -> None:
    run = coming_run(3600)
    too_early()
    status, _, body = call()
    found = json.loads(body)
    assert (status, found["code"]) == ("409 Conflict", "sale_not_started")
    assert found["starts_at"] == moment_text(run.starts_at)


def test_at_the_start_nobody_is_told_to_wait_by_the_databases_clock() -> None:
    """However old the answer may be otherwise, and whatever time the host thinks it is."""
    coming_run(0.4)
    with time_machine.travel(datetime.now(UTC) - timedelta(hours=1)):
        too_early()
        assert call()[0][:3] == "409"
    time.sleep(0.4)
    assert call()[0][:3] == "201"


def test_control_without_an_end_the_crowd_is_kept_waiting_after_the_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    coming_run(0.4)
    too_early()
    monkeypatch.setattr(crowd._KNOWN[SLUG], "until", math.inf)
    time.sleep(0.4)
    assert json.loads(call()[2])["code"] == "sale_not_started"


def test_a_start_that_is_moved_is_noticed() -> None:
    run = coming_run(3600)
    too_early()
    crowd._KNOWN[SLUG].asked_at -= 70
    FlashRun.objects.filter(pk=run.pk).update(starts_at=Now())
    assert call()[0][:3] == "201"


def test_a_run_that_is_all_paid_stays_over_until_somebody_writes_it_down() -> None:
    """The crowd of those seconds is the greatest of all."""
    coming_run(-60)
    flash_purchase(user_id=rich(), slug=SLUG, quantity=1, method="wallet")
    crowd.refusal_note(SLUG, SaleEnded(), asked_at=time.monotonic() - 70)
    assert json.loads(call()[2])["code"] == "sale_ended"


def test_a_sale_said_to_be_over_that_has_a_unit_after_all_goes_on() -> None:
    coming_run(-60)
    crowd.refusal_note(SLUG, SaleEnded(), asked_at=time.monotonic() - 70)
    assert call()[0] == "201 Created"


def test_control_a_refusal_that_is_never_asked_anew_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """No such run is sold out; nobody looks."""
    monkeypatch.setattr(crowd, "FRESH_SECONDS", 3600)
    sold_out(ago=600)
    assert call()[0] == "409 Conflict"


def test_units_left_for_who_wants_fewer_turn_nobody_away() -> None:
    some = SoldOut(wanted=3, left=2, run_id=1)
    crowd.refusal_note(SLUG, some, asked_at=time.monotonic())
    assert call()[0] == "201 Created"

"""Idempotency-Key on placing an order: every row of the matrix."""

from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now
from rest_framework.test import APIClient

from common.cleanup import BATCH
from common.idempotency.models import IdempotencyRecord
from common.idempotency.services import forget_expired
from payments.checkout.services import placing as checkout
from payments.intake.models import Payment, Refund
from shop.orders.models import Order
from tests.factories.orders import (
    ORDERS,
    buy,
    confirm,
    order_body,
    own_rollbacks,
    place,
    post,
    refund,
    settled,
)
from tests.factories.shop import ProductFactory
from tests.factories.users import UserFactory, client_for

__all__ = ["own_rollbacks", "settled"]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_rollbacks", "settled", "sandbox")]
BODY = order_body(("a", 1))


@pytest.fixture(autouse=True)
def product() -> Any:
    return ProductFactory(slug="a", list_price=1000, stock=5)


def order(client: Any, key: str | None = "key-1", body: Any = BODY) -> Any:
    return post(client, ORDERS, body, key=key)


@pytest.mark.proof(
    "An Idempotency-Key again",
    size="3 calls",
    control="tests/races/test_one_key.py::test_control_without_the_claim_every_call_makes_an_order",
)
def test_the_same_key_and_body_give_the_same_order_again(api: Any) -> None:
    first, again = order(api), order(api)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert "Idempotent-Replayed" not in first
    assert again["Idempotent-Replayed"] == "true"
    assert Order.objects.count() == 1
    reordered = {"payment": BODY["payment"], "lines": BODY["lines"]}
    assert order(api, body=reordered)["Idempotent-Replayed"] == "true"


def test_another_body_is_422(api: Any) -> None:
    order(api)
    answer = order(api, body=order_body(("a", 2)))
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
    assert Order.objects.count() == 1


def test_another_user_and_another_route_have_keys_of_their_own(api: Any) -> None:
    first = order(api).json()
    assert order(client_for(UserFactory())).json()["number"] != first["number"]
    change = post(api, f"{ORDERS}{first['number']}/payments/", {"method": "stripe"}, key="key-1")
    assert change.status_code == 201
    assert "Idempotent-Replayed" not in change
    assert Order.objects.count() == 2


@pytest.mark.parametrize("key", ["", "x" * 256, "clé", "two words", "tab\there", "\x7f"])
def test_a_key_that_is_not_1_to_255_visible_characters_is_400(api: Any, key: str) -> None:
    answer = api.post(ORDERS, BODY, format="json", headers={"Idempotency-Key": key})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_idempotency_key")
    assert not Order.objects.exists()


def test_a_key_of_255_characters_is_one(api: Any) -> None:
    assert order(api, "~" * 255).status_code == 201
    assert order(api, "~" * 255)["Idempotent-Replayed"] == "true"


@pytest.mark.parametrize(
    "body", [order_body(("nothing", 1)), order_body(("a", 0)), {}, order_body(("a", 1), x=1)]
)
def test_after_a_400_the_key_is_free(api: Any, body: Any) -> None:
    assert order(api, body=body).status_code == 400
    assert not IdempotencyRecord.objects.exists()
    assert order(api).status_code == 201


def test_a_401_and_a_404_store_nothing(api: Any) -> None:
    assert order(APIClient()).status_code == 401
    assert post(api, f"{ORDERS}nope/cancel/", key="k").status_code == 404
    assert not IdempotencyRecord.objects.exists()


def test_a_409_is_stored_and_replayed_when_it_would_pass(api: Any, staff_api: Any) -> None:
    short = order_body(("a", 6))
    first = order(api, body=short)
    assert first.status_code == 409
    post(staff_api, "/api/v1/admin/products/a/stock/", {"delta": 9, "reason": "more"})
    again = order(api, body=short)
    assert (again.status_code, again.json()) == (409, first.json())
    assert again["Idempotent-Replayed"] == "true"
    assert again["Content-Type"] == "application/problem+json"
    assert order(api, "key-2", short).status_code == 201


def test_a_decline_is_stored_and_the_card_asked_once(api: Any, sandbox: Any) -> None:
    made = place(api, ("a", 1))
    first = confirm(api, made, "pm_card_visa_chargeDeclined", key="c")
    again = confirm(api, made, "pm_card_visa_chargeDeclined", key="c")
    assert (first.status_code, again.status_code) == (402, 402)
    assert again.json() == first.json()
    intent = made["payment"]["stripe"]["payment_intent"]
    assert len(sandbox.charges(payment_intent=intent)) == 1
    reused = confirm(api, made, "pm_card_visa", key="c")
    assert reused.status_code == 422
    assert confirm(api, made, "pm_card_nonsense", key="d").status_code == 400
    assert confirm(api, made, "pm_card_visa", key="d").status_code == 202


def test_an_accepted_card_is_replayed_and_charged_once(api: Any, drain: Any, sandbox: Any) -> None:
    made = place(api, ("a", 1))
    assert confirm(api, made, key="c").status_code == 202
    drain()
    again = confirm(api, made, key="c")
    assert (again.status_code, again.json()["status"]) == (202, "succeeded")
    assert len(sandbox.charges(made["payment"]["stripe"]["payment_intent"])) == 1


def test_after_a_500_before_the_commit_the_key_is_free(
    api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.raise_request_exception = False
    with monkeypatch.context() as patch:
        patch.setattr(checkout.orders, "orders_take_stock", lambda *_, **__: 1 / 0)
        assert order(api).status_code == 500
    assert not Order.objects.exists()
    assert not IdempotencyRecord.objects.exists()
    assert order(api).status_code == 201


def test_after_a_crash_between_commit_and_answer_the_order_is_there(
    api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.raise_request_exception = False
    with monkeypatch.context() as patch:
        patch.setattr(checkout.ports.gateway("stripe"), "open", lambda _: 1 / 0)
        assert order(api).status_code == 500
    again = order(api)
    assert (again.status_code, again["Idempotent-Replayed"]) == (201, "true")
    assert Order.objects.count() == 1


def running(**claimed: int) -> None:
    IdempotencyRecord.objects.update(
        state="running", status=None, object_ref="", claimed_at=Now() - timedelta(**claimed)
    )


def test_a_running_key_is_409_with_retry_after_and_lapses_after_a_minute(api: Any) -> None:
    order(api)
    running(seconds=55)
    busy = order(api)
    assert (busy.status_code, busy.json()["code"]) == (409, "idempotency_key_in_use")
    assert busy["Retry-After"]
    assert order(api, body=order_body(("a", 2))).status_code == 422
    running(seconds=61)
    taken = order(api)
    assert taken.status_code == 201
    assert "Idempotent-Replayed" not in taken
    assert order(api)["Idempotent-Replayed"] == "true"


def test_a_claim_that_was_taken_over_makes_no_second_object(
    api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = checkout._place

    def overtaken(wishes: Any) -> Any:
        IdempotencyRecord.objects.update(claim="another")
        return real(wishes)

    monkeypatch.setattr(checkout, "_place", overtaken)
    answer = order(api)
    assert (answer.status_code, answer.json()["code"]) == (409, "idempotency_key_in_use")
    assert not Order.objects.exists()
    assert IdempotencyRecord.objects.get().state == "running"


def test_a_key_lives_24_hours(api: Any) -> None:
    first = order(api).json()
    IdempotencyRecord.objects.update(created_at=Now() - timedelta(hours=25))
    assert order(api, body=order_body(("a", 2))).json()["number"] != first["number"]
    assert forget_expired() == 0
    IdempotencyRecord.objects.update(created_at=Now() - timedelta(hours=25))
    assert forget_expired() == 1


def test_more_than_a_batch_of_keys_is_forgotten_in_one_run() -> None:
    user_id = UserFactory().pk
    IdempotencyRecord.objects.bulk_create(
        IdempotencyRecord(user_id=user_id, route="POST /", key_hash=str(n), body_hash="", claim="")
        for n in range(2 * BATCH + 1)
    )
    IdempotencyRecord.objects.update(created_at=Now() - timedelta(hours=25))
    assert forget_expired() == 2 * BATCH + 1


def test_a_path_longer_than_the_column_is_404_and_not_500(api: Any) -> None:
    assert post(api, f"{ORDERS}{'A' * 300}/cancel/", key="k").status_code == 404


def test_refunds_and_fulfilment_and_stock_honour_the_key(
    api: Any, staff_api: Any, drain: Any
) -> None:
    made = buy(api, drain, ("a", 1))
    uid = made["payment"]["id"]
    url = f"/api/v1/admin/payments/{uid}/refund/"
    pair = [post(staff_api, url, {"reason": "r", "amount": "1.00"}, key="k") for _ in range(2)]
    assert [p.status_code for p in pair] == [201, 201]
    assert pair[0].json()["id"] == pair[1].json()["id"]
    assert Refund.objects.count() == 1
    fulfil = f"/api/v1/admin/orders/{made['number']}/fulfil/"
    assert [post(staff_api, fulfil, key="k").status_code for _ in range(2)] == [200, 200]
    stock = "/api/v1/admin/products/a/stock/"
    more = [post(staff_api, stock, {"delta": 5, "reason": "r"}, key="k") for _ in range(2)]
    assert more[0].json() == more[1].json()
    assert more[1].json()["on_hand"] == 9
    same = [post(staff_api, stock, {"set": 9, "reason": "r"}, key="s") for _ in range(2)]
    assert [s.status_code for s in same] == [200, 200]
    assert refund(staff_api, made["payment"], amount="1.00").status_code == 201
    assert Payment.objects.count() == 1

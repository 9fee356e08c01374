"""What Stripe keeps under an idempotency key, it keeps for a day: nothing may wait that long."""

from typing import Any

import pytest

from payments.intake.models import Refund
from payments.stripe import gateway
from payments.stripe.errors import ServerFault, Unreachable
from tests.factories.orders import (
    buy,
    confirm,
    get_order,
    get_payment,
    own_rollbacks,
    place,
    refund,
    settled,
)
from tests.factories.shop import ProductFactory

__all__ = ["own_rollbacks", "settled"]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_rollbacks", "settled", "sandbox")]


@pytest.fixture(autouse=True)
def lamp() -> Any:
    return ProductFactory(slug="brass-lamp", list_price=1999, stock=5)


def charged(sandbox: Any, order: Any) -> list[str]:
    intent = order["payment"]["stripe"]["payment_intent"]
    return [c["status"] for c in sandbox.charges(payment_intent=intent)]


@pytest.mark.parametrize("path", ["/v1/customers", "/v1/payment_intents"])
def test_an_intent_whose_first_call_was_answered_500_is_made_later(
    api: Any, drain: Any, sandbox: Any, path: str
) -> None:
    sandbox.fault("http", "status", match=f"POST {path}", status=500, times=4)
    order = place(api, ("brass-lamp", 1))
    assert order["payment"]["stripe"] is None
    drain(later=True)
    assert get_order(api, order)["payment"]["stripe"]["payment_intent"].startswith("pi_")


def test_a_confirm_that_was_answered_500_is_charged_once_by_the_task(
    api: Any, drain: Any, sandbox: Any
) -> None:
    order = place(api, ("brass-lamp", 1))
    sandbox.fault("http", "status", match="POST */confirm", status=500, times=4)
    assert confirm(api, order).status_code == 202
    drain(later=True)
    assert get_order(api, order)["status"] == "paid"
    assert charged(sandbox, order) == ["succeeded"]


def test_a_confirm_answered_500_after_the_charge_is_not_asked_again(
    api: Any, drain: Any, sandbox: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = place(api, ("brass-lamp", 1))
    real = gateway.confirm_intent

    def charged_and_500(*args: Any, **kwargs: Any) -> Any:
        real(*args, **kwargs)
        raise ServerFault

    monkeypatch.setattr(gateway, "confirm_intent", charged_and_500)
    assert confirm(api, order).status_code == 202
    drain()
    assert get_order(api, order)["status"] == "paid"
    assert charged(sandbox, order) == ["succeeded"]


def test_a_refund_that_was_answered_500_is_sent_again_and_once(
    api: Any, staff_api: Any, drain: Any, sandbox: Any
) -> None:
    order = buy(api, drain, ("brass-lamp", 1))
    sandbox.fault("http", "status", match="POST /v1/refunds", status=500, times=4)
    assert refund(staff_api, order["payment"], amount="5.00").status_code == 201
    drain(later=True)
    assert get_payment(api, order["payment"])["refunded_amount"] == "5.00"
    assert len(sandbox.refunds(order["payment"]["stripe"]["payment_intent"])) == 1


def test_a_refund_made_before_its_500_is_found_and_not_made_again(
    api: Any, staff_api: Any, drain: Any, sandbox: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = buy(api, drain, ("brass-lamp", 1))
    refund(staff_api, order["payment"], amount="5.00")
    real = gateway._create_refund

    def made_and_500(*args: Any) -> Any:
        real(*args)
        raise ServerFault

    monkeypatch.setattr(gateway, "_create_refund", made_and_500)
    drain()
    assert get_payment(api, order["payment"])["refunded_amount"] == "5.00"
    assert len(sandbox.refunds(order["payment"]["stripe"]["payment_intent"])) == 1
    assert Refund.objects.get().status == "succeeded"


def spend(key: str) -> None:
    """Have Stripe know the key as that of another call."""
    gateway.client().v1.customers.create({}, {"idempotency_key": key})


def test_a_confirm_whose_key_stands_for_another_call_is_charged_once(
    api: Any, drain: Any, sandbox: Any
) -> None:
    order = place(api, ("brass-lamp", 1))
    spend(f"confirm-{order['payment']['id']}-1")
    assert confirm(api, order).status_code == 202
    drain()
    assert get_order(api, order)["status"] == "paid"
    assert charged(sandbox, order) == ["succeeded"]


def test_an_intent_whose_key_stands_for_another_call_is_made(
    api: Any, drain: Any, sandbox: Any
) -> None:
    sandbox.fault("http", "status", match="POST /v1/payment_intents", status=429, times=4)
    order = place(api, ("brass-lamp", 1))
    assert order["payment"]["stripe"] is None
    spend(f"intent-{order['payment']['id']}")
    drain(later=True)
    assert get_order(api, order)["payment"]["stripe"]["payment_intent"].startswith("pi_")


def test_a_refund_whose_key_stands_for_another_call_is_made_once(
    api: Any, staff_api: Any, drain: Any, sandbox: Any
) -> None:
    order = buy(api, drain, ("brass-lamp", 1))
    assert refund(staff_api, order["payment"], amount="5.00").status_code == 201
    spend(f"refund-{Refund.objects.get().uid}")
    drain()
    assert get_payment(api, order["payment"])["refunded_amount"] == "5.00"
    assert len(sandbox.refunds(order["payment"]["stripe"]["payment_intent"])) == 1


def test_control_as_a_lost_answer_it_is_asked_again_under_the_same_key(
    api: Any, drain: Any, sandbox: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway, "KeySpent", Unreachable)
    order = place(api, ("brass-lamp", 1))
    spend(f"confirm-{order['payment']['id']}-1")
    assert confirm(api, order).status_code == 202
    drain()
    assert get_order(api, order)["status"] == "pending_payment"
    assert charged(sandbox, order) == []


def test_a_lost_answer_is_unknown_and_a_500_says_so(sandbox: Any) -> None:
    sandbox.fault("http", "status", match="GET *", status=500, times=2)
    with pytest.raises(ServerFault):
        gateway.retrieve_intent("pi_1")
    sandbox.fault("http", "status", match="GET *", status=429, times=2)
    with pytest.raises(Unreachable) as caught:
        gateway.retrieve_intent("pi_1")
    assert not isinstance(caught.value, ServerFault)

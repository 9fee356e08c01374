"""What Stripe keeps under an idempotency key, it keeps for a day: nothing may wait that long."""

import itertools
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest

from common import clock
from payments.intake.models import Refund
from payments.stripe import gateway
from payments.stripe.errors import KeySpent, ServerFault, StillSending, Unreachable
from payments.stripe.gateway import asking
from payments.stripe.models import StripeSending
from payments.stripe.services.refunds import refund_send
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
    real = gateway._confirm_intent

    def charged_and_500(*args: Any) -> Any:
        real(*args)
        raise ServerFault

    monkeypatch.setattr(gateway, "_confirm_intent", charged_and_500)
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
    drain(later=True)
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
    drain(later=True)
    assert get_payment(api, order["payment"])["refunded_amount"] == "5.00"
    assert len(sandbox.refunds(order["payment"]["stripe"]["payment_intent"])) == 1


def beside(monkeypatch: pytest.MonkeyPatch, looks: str, at: int, other: Callable[[], Any]) -> None:
    """Another caller does it all while one is about to go on from its `at`th look."""
    real, count = getattr(gateway, looks), itertools.count(1)

    def looked(*args: Any, **kwargs: Any) -> Any:
        found = real(*args, **kwargs)
        if next(count) == at:
            other()
        return found

    monkeypatch.setattr(gateway, looks, looked)


class Sent:
    """One refund of 5.00 whose first key is spent, and what it is paid from."""

    def __init__(self, api: Any, staff_api: Any, drain: Any) -> None:
        order = buy(api, drain, ("brass-lamp", 1))
        refund(staff_api, order["payment"], amount="5.00")
        self.row = Refund.objects.get()
        self.intent = order["payment"]["stripe"]["payment_intent"]
        spend(f"refund-{self.row.uid}")

    def send(self) -> None:
        with suppress(KeySpent, StillSending):
            refund_send(refund_id=self.row.pk)


@pytest.fixture
def sent(api: Any, staff_api: Any, drain: Any) -> Sent:
    return Sent(api, staff_api, drain)


def test_a_refund_goes_on_to_its_next_key_and_never_back(sent: Sent, sandbox: Any) -> None:
    sent.send()
    assert StripeSending.objects.values_list("key_number", "leased_until").get() == (2, None)
    spend(f"refund-{sent.row.uid}-2")
    sent.send()
    assert sandbox.refunds(sent.intent) == []
    sent.send()
    assert StripeSending.objects.get().key_number == 3
    assert len(sandbox.refunds(sent.intent)) == 1


def test_two_who_send_a_refund_at_once_make_one(
    sent: Sent, sandbox: Any, drain: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent.send()
    beside(monkeypatch, "_find_refund", 1, sent.send)
    sent.send()
    drain(later=True)
    assert len(sandbox.refunds(sent.intent)) == 1
    assert Refund.objects.get().status == "succeeded"


def test_control_with_no_lease_and_next_keys_of_their_own_they_make_two(
    sent: Sent, sandbox: Any
) -> None:
    """What a second caller finds who began after the first one's look."""
    for key in ("of-one", "of-another"):
        gateway._create_refund(str(sent.row.uid), sent.intent, 500, key)
    assert len(sandbox.refunds(sent.intent)) == 2


def test_a_lease_that_ran_out_is_not_given_back_for_another(sent: Sent) -> None:
    later = clock.now() + timedelta(hours=1)

    def slow(**_: Any) -> Any:
        StripeSending.objects.update(leased_until=later, key_number=7)
        raise KeySpent

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gateway, "create_refund", slow)
        sent.send()
    assert StripeSending.objects.values_list("key_number", "leased_until").get() == (7, later)


def test_a_refund_that_is_being_sent_waits(sent: Sent, sandbox: Any) -> None:
    StripeSending.objects.create(refund=sent.row, leased_until=clock.now() + timedelta(minutes=1))
    with pytest.raises(StillSending):
        refund_send(refund_id=sent.row.pk)
    StripeSending.objects.update(leased_until=clock.now() - timedelta(seconds=1), key_number=2)
    sent.send()
    assert len(sandbox.refunds(sent.intent)) == 1


def test_a_card_that_somebody_else_has_charged_is_not_refused(
    api: Any, drain: Any, sandbox: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = place(api, ("brass-lamp", 1))
    intent = order["payment"]["stripe"]["payment_intent"]
    key = f"confirm-{order['payment']['id']}-1"
    spend(key)
    card = {"payment_method": "pm_card_visa", "idempotency_key": key}
    beside(monkeypatch, "retrieve_intent", 1, lambda: gateway.confirm_intent(intent, **card))
    assert confirm(api, order).status_code == 202
    drain()
    assert get_order(api, order)["status"] == "paid"
    assert charged(sandbox, order) == ["succeeded"]


def test_control_with_one_key_alone_nothing_comes_of_it(
    api: Any, drain: Any, sandbox: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "another", lambda key: key)
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

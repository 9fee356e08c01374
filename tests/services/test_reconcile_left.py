"""Differences from Stripe that need a person, and runs of reconciliation in every circumstance."""

import uuid
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
import stripe
from django.core.management import CommandError, call_command

from accounts.ledger import rules as ledger
from accounts.ledger import services as books
from accounts.ledger.rules import Kind
from common import db
from config.management.commands import reconcile as command
from payments.intake import services as machine
from payments.intake.models import Payment, Refund
from payments.intake.services import Capture
from payments.stripe import gateway, rules, tasks
from payments.stripe.models import StripeIntent, StripeRefund
from payments.stripe.services import refund_sync
from shop.orders.models import Order
from tests.factories.orders import (
    own_rollbacks,
    settled,
)
from tests.factories.reconcile import (
    PAID,
    Shop,
    cancelled_at_stripe,
    paid,
    refund_at_dashboard,
    rows,
    run,
    sandbox,
    shop,
    state,
    stripe_clock,
)

__all__ = ["own_rollbacks", "sandbox", "settled", "shop", "stripe_clock"]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_rollbacks", "sandbox")]


# What is left for people: how it comes about, and the words for it.


def captured_and_unknown(shop: Shop) -> None:
    shop.placed()
    capture = Capture(1000, "USD", "pi_madeup")
    machine.payment_settle(payment_id=Payment.objects.get().pk, capture=capture)


def less_captured_than_paid(shop: Shop) -> None:
    intent = shop.pay_in_browser(shop.placed())
    capture = Capture(999, "USD", intent)
    machine.payment_settle(payment_id=Payment.objects.get().pk, capture=capture)


def refunded_and_unknown(shop: Shop) -> None:
    machine.refund_settle(refund_id=shop.asked_refund().pk, succeeded=True)


def refund_never_sent(shop: Shop) -> None:
    shop.asked_refund()
    Refund.objects.update(created_at="2020-01-01T00:00:00Z")


def refund_failed_and_gone(shop: Shop) -> None:
    row = shop.asked_refund()
    machine.refund_settle(refund_id=row.pk, succeeded=False, failure="test")
    intent = StripeIntent.objects.get().intent_id
    gateway.create_refund(refund_uid=str(row.uid), intent_id=intent, amount=row.amount)


def refund_of_another_amount(shop: Shop) -> None:
    row = shop.asked_refund()
    intent = StripeIntent.objects.get().intent_id
    made = gateway.create_refund(refund_uid=str(row.uid), intent_id=intent, amount=999)
    StripeRefund.objects.create(refund=row, stripe_id=made.id)


def dispute_and_unknown(shop: Shop) -> None:
    shop.bought()
    machine.dispute_open(
        payment_id=Payment.objects.get().pk, reference="stripe:dp_madeup", amount=1000, reason="x"
    )


def second_intent(shop: Shop, payment_uid: str = "") -> None:
    """Another intent in the name of a payment of ours, and its money."""
    if not payment_uid:
        shop.bought()
    intent = gateway.create_intent(
        key=uuid.uuid4().hex,
        amount=700,
        currency="USD",
        customer=gateway.create_customer(email="a@example.org", user_uid=uuid.uuid4().hex),
        metadata={"payment": payment_uid or str(Payment.objects.get().uid)},
    )
    gateway.confirm_intent(
        intent.id, payment_method="pm_card_visa", idempotency_key=uuid.uuid4().hex
    )


def money_without_a_payment(shop: Shop) -> None:
    second_intent(shop, str(uuid.uuid4()))


LEFT: dict[Callable[[Shop], None], str] = {
    captured_and_unknown: "10.00 USD captured here, unknown at Stripe",
    less_captured_than_paid: "9.99 USD captured here, 10.00 USD at Stripe",
    refunded_and_unknown: "is succeeded here, unknown at Stripe",
    refund_never_sent: "has not reached Stripe for over an hour",
    refund_failed_and_gone: "has gone out at Stripe and is failed here",
    refund_of_another_amount: "10.00 USD here, 9.99 USD at Stripe",
    dispute_and_unknown: "is open here, unknown at Stripe",
    second_intent: "7.00 USD came in by a second intent",
    money_without_a_payment: "7.00 USD for payment",
}
left = pytest.mark.parametrize("happens", LEFT, ids=lambda each: each.__name__)


@left
@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize(
    "options",
    [(), pytest.param(("--dry-run",), marks=pytest.mark.at_length("the run that may mend"))],
)
def test_what_needs_a_person_is_told_and_left_as_it_is(
    shop: Shop, happens: Any, options: tuple[str, ...]
) -> None:
    happens(shop)
    before = rows()
    for _ in range(2):
        code, lines = run(*options)
        assert code == 1
        assert any(LEFT[happens] in line for line in lines), lines
        assert {line.split()[0] for line in lines} == {"left"}
    assert rows() == before


def test_a_sum_that_no_difference_explains_is_told(shop: Shop) -> None:
    row = shop.asked_refund()
    shop.drain()
    assert run() == (0, [])
    books.transfer_post(
        reference=f"refund-returned:{row.uid}",
        kind="refund",
        entries=ledger.move(
            100,
            debit=ledger.house(Kind.STRIPE_CLEARING, "USD"),
            credit=ledger.house(Kind.SALES, "USD"),
        ),
    )
    code, (line,) = run()
    assert (code, line.split(": ")[1]) == (
        1,
        "the clearing account has 1.00 USD of it, Stripe 0.00 USD",
    )


@pytest.mark.usefixtures("settled")
def test_another_shops_money_on_the_same_account_is_none_of_ours(shop: Shop) -> None:
    customer = gateway.create_customer(email="a@example.org", user_uid=uuid.uuid4().hex)
    intent = gateway.create_intent(
        key="other", amount=500, currency="USD", customer=customer, metadata={"order": "17"}
    )
    gateway.confirm_intent(intent.id, payment_method="pm_card_visa", idempotency_key="other")
    assert run() == (0, [])


@pytest.mark.usefixtures("settled")
def test_one_that_cannot_be_mended_stops_none_of_the_others(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    refund_at_dashboard(shop)
    paid(shop)
    # A refund of ours is in the way of the one that was made at Stripe.
    payment = Payment.objects.exclude(captured=0).get()
    machine.refund_request(
        payment_id=payment.pk, amount=None, lines={}, restock=False, reason="x", actor_id=None
    )
    code, lines = run()
    assert (code, sorted(line.split()[0] for line in lines)) == (1, ["left", "mended"])
    assert Order.objects.filter(status="paid").count() == 2


@pytest.mark.usefixtures("settled")
def test_a_status_from_the_future_stops_none_of_the_others(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    paid(shop)
    cancelled_at_stripe(shop)
    monkeypatch.delitem(rules._OUTCOMES, "canceled")
    code, lines = run()
    assert (code, sorted(line.split()[0] for line in lines)) == (1, ["left", "mended"])
    assert "cannot be compared (KeyError)" in "".join(lines)


@pytest.mark.usefixtures("settled")
def test_long_lists_are_read_page_by_page(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway, "PAGE", 2)
    monkeypatch.setattr(command, "PROGRESS_EVERY", 2)
    for _ in range(5):
        shop.pay_in_browser(shop.placed())
    out, err = StringIO(), StringIO()
    call_command("reconcile", stdout=out, stderr=err)
    assert out.getvalue().count("mended ") == 5
    assert err.getvalue().splitlines() == [f"{n} payments compared …" for n in (2, 4)]
    assert len(shop.sandbox.calls(method="GET", path="/v1/payment_intents")) == 3
    assert Order.objects.filter(status="paid").count() == 5


def test_nothing_is_locked_while_stripe_is_asked(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    refund_at_dashboard(shop)
    paid(shop)
    calls, ask = [], stripe.RequestsClient.request

    def watched(*args: Any, **kwargs: Any) -> Any:
        calls.append(db.connection.in_atomic_block)
        return ask(*args, **kwargs)

    monkeypatch.setattr(stripe.RequestsClient, "request", watched)
    assert run()[0] == 0
    assert len(calls) > 5
    assert not any(calls)


def test_stripe_out_of_reach_is_said_and_changes_nothing(shop: Shop) -> None:
    paid(shop)
    before = rows()
    shop.sandbox.fault("http", "status", match="GET /v1/payment_intents", status=500, times=9)
    with pytest.raises(CommandError, match="Stripe gave no answer") as caught:
        call_command("reconcile", stdout=StringIO())
    assert caught.value.returncode == 1
    assert rows() == before
    tasks.reconcile()
    assert rows() == before


@pytest.mark.parametrize("option", ["--days=0", "--days=-1", "--days=x", "--since=yesterday"])
def test_a_window_that_is_none_is_refused(option: str) -> None:
    with pytest.raises(CommandError, match="is not a"):
        call_command("reconcile", option)


class TestInTurn:
    def test_one_of_several_beats_does_the_hours_run(self, shop: Shop, settings: Any) -> None:
        paid(shop)
        tasks.reconcile()
        assert state() == PAID
        asked = len(shop.sandbox.calls())
        tasks.reconcile()
        assert len(shop.sandbox.calls()) == asked
        planned = settings.CELERY_BEAT_SCHEDULE["stripe-reconcile"]
        assert (planned["task"], planned["schedule"]) == (tasks.reconcile.name, 3600)

    def test_control_without_the_turn_each_of_them_asks(
        self, shop: Shop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("payments.stripe.store.take_turn", lambda job: True)
        tasks.reconcile()
        asked = len(shop.sandbox.calls())
        tasks.reconcile()
        assert len(shop.sandbox.calls()) > asked

    def test_what_is_left_is_an_error_in_the_log(self, shop: Shop, caplog: Any) -> None:
        less_captured_than_paid(shop)
        tasks.reconcile()
        (record,) = [each for each in caplog.records if each.msg == "reconcile.difference"]
        assert (record.levelname, "9.99 USD" in record.breach) == ("ERROR", True)


def test_an_adopted_refund_is_not_polled_and_counts_once(shop: Shop) -> None:
    refund_at_dashboard(shop)
    run()
    (row,) = StripeRefund.objects.all()
    assert row.next_poll_at is None
    refund_sync(refund_id=row.pk)
    assert Payment.objects.get().refunded == 400

"""Reconciliation against Stripe's stand-in over HTTP: no event arrives and no task tells of it."""

import uuid
from collections.abc import Callable, Iterator
from io import StringIO
from time import time
from typing import Any

import pytest
import stripe
from django.core.management import CommandError, call_command
from django.db.models import Model

from accounts.ledger import rules as ledger
from accounts.ledger import services as books
from accounts.ledger.models import Posting
from accounts.ledger.rules import Kind
from common import db
from common.outbox.models import OutboxMessage
from config.management.commands import reconcile as command
from payments.intake import services as machine
from payments.intake.models import Dispute, Payment, PaymentEvent, Refund
from payments.intake.services import Capture
from payments.sandbox.stripe import StripeSandbox
from payments.stripe import gateway, rules, tasks
from payments.stripe.models import StripeIntent, StripeRefund, WebhookEvent
from payments.stripe.services import refund_sync
from shop.orders.models import Order
from tests.factories.orders import (
    ORDERS,
    confirm,
    get_order,
    own_rollbacks,
    place,
    post,
    refund,
    settled,
)
from tests.factories.shop import ProductFactory
from tests.factories.wallet import balance

__all__ = ["own_rollbacks", "settled"]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_rollbacks", "sandbox")]

TABLES: list[type[Model]] = [
    *(Order, Payment, PaymentEvent, Refund, Dispute),
    *(StripeIntent, StripeRefund, Posting, OutboxMessage),
]


class Clock:
    """Stripe's clock; `days` in the past."""

    days = 0

    def __call__(self) -> float:
        return time() - self.days * 86400


@pytest.fixture
def stripe_clock() -> Clock:
    return Clock()


@pytest.fixture
def sandbox(settings: Any, stripe_clock: Clock) -> Iterator[StripeSandbox]:
    """One of its own for each test: money of other tests would be money without a payment."""
    with StripeSandbox(":memory:", settle_seconds=3600, clock=stripe_clock) as found:
        settings.STRIPE_API_BASE = found.url
        yield found


@pytest.fixture
def shop(api: Any, staff_api: Any, drain: Any, sandbox: StripeSandbox) -> "Shop":
    return Shop(api, staff_api, drain, sandbox)


class Shop:
    """What happens at Stripe, and how the shop hears nothing of it."""

    def __init__(self, api: Any, staff: Any, drain: Any, sandbox: StripeSandbox) -> None:
        self.api, self.staff, self.drain, self.sandbox = api, staff, drain, sandbox
        ProductFactory(slug="a", list_price=1000, stock=10)

    def placed(self) -> Any:
        return place(self.api, ("a", 1))

    def pay_in_browser(self, order: Any, card: str = "pm_card_visa") -> str:
        intent = str(order["payment"]["stripe"]["payment_intent"])
        gateway.confirm_intent(intent, payment_method=card, idempotency_key=uuid.uuid4().hex)
        return intent

    def bought(self, card: str = "pm_card_visa") -> Any:
        order = self.placed()
        assert confirm(self.api, order, card).status_code == 202
        self.drain()
        return get_order(self.api, order)

    def asked_refund(self, card: str = "pm_card_visa") -> Refund:
        order = self.bought(card)
        assert refund(self.staff, order["payment"]).status_code == 201
        return Refund.objects.get()


def run(*options: str) -> tuple[int, list[str]]:
    """The command's exit code, and its lines but for the summary."""
    out = StringIO()
    try:
        call_command("reconcile", *options, stdout=out, stderr=StringIO())
    except CommandError as error:
        return error.returncode, out.getvalue().splitlines()[:-1]
    return 0, out.getvalue().splitlines()[:-1]


def rows() -> list[Any]:
    return [list(table.objects.order_by("pk").values_list()) for table in TABLES]


# What is mended: how it comes about, and what the shop says of it before and after.


def paid(shop: Shop) -> None:
    shop.pay_in_browser(shop.placed())


def paid_and_intent_forgotten(shop: Shop) -> None:
    shop.pay_in_browser(shop.placed())
    StripeIntent.objects.all().delete()


def paid_after_cancellation(shop: Shop) -> None:
    order = shop.placed()
    assert post(shop.api, f"{ORDERS}{order['number']}/cancel/").status_code == 200
    shop.pay_in_browser(order)


def given_up(shop: Shop) -> None:
    order = shop.placed()
    assert post(shop.api, f"{ORDERS}{order['number']}/cancel/").status_code == 200


def cancelled_at_stripe(shop: Shop) -> None:
    gateway.cancel_intent(shop.placed()["payment"]["stripe"]["payment_intent"])


def under_way(shop: Shop) -> None:
    shop.pay_in_browser(shop.placed(), "pm_card_threeDSecure2Required")


def refund_decided(shop: Shop) -> None:
    shop.asked_refund("pm_card_pendingRefund")
    shop.drain()
    shop.sandbox.settle()


def refund_answer_lost(shop: Shop) -> None:
    row = shop.asked_refund()
    intent = StripeIntent.objects.get().intent_id
    gateway.create_refund(refund_uid=str(row.uid), intent_id=intent, amount=row.amount)


def refund_returned(shop: Shop) -> None:
    shop.asked_refund("pm_card_refundFail")
    shop.drain()
    shop.sandbox.settle()


def refund_at_dashboard(shop: Shop) -> None:
    shop.bought()
    intent = StripeIntent.objects.get().intent_id
    gateway.client().v1.refunds.create({"payment_intent": intent, "amount": 400})


def disputed(shop: Shop) -> None:
    shop.bought("pm_card_createDispute")


def dispute_lost(shop: Shop) -> None:
    shop.bought("pm_card_createDispute")
    assert run()[0] == 0
    (dispute,) = gateway.disputes_of(StripeIntent.objects.get().intent_id)
    shop.sandbox.close_dispute(dispute.id, "lost")


State = tuple[str, str, int, int]
OPEN: State = ("pending_payment", "awaiting", 0, 0)
CANCELLED: State = ("cancelled", "expired", 0, 0)
PAID: State = ("paid", "succeeded", 1000, 0)
GIVEN_BACK: State = ("refunded", "refunded", 1000, 1000)

MENDED: dict[Callable[[Shop], None], tuple[State, State]] = {
    paid: (OPEN, PAID),
    paid_and_intent_forgotten: (OPEN, PAID),
    paid_after_cancellation: (CANCELLED, PAID),
    given_up: (CANCELLED, CANCELLED),
    cancelled_at_stripe: (OPEN, ("pending_payment", "failed", 0, 0)),
    under_way: (OPEN, ("pending_payment", "processing", 0, 0)),
    refund_decided: (PAID, GIVEN_BACK),
    refund_answer_lost: (PAID, GIVEN_BACK),
    refund_returned: (GIVEN_BACK, GIVEN_BACK),
    refund_at_dashboard: (PAID, ("partially_refunded", "succeeded", 1000, 400)),
    disputed: (PAID, ("paid", "review", 1000, 0)),
    dispute_lost: (("paid", "review", 1000, 0), ("paid", "reversed", 1000, 0)),
}
mended = pytest.mark.parametrize("happens", MENDED, ids=lambda each: each.__name__)


def state() -> State:
    payment = Payment.objects.get()
    assert payment.order is not None
    return payment.order.status, payment.status, payment.captured, payment.refunded


@mended
@pytest.mark.usefixtures("settled")
class TestMended:
    def test_what_stripe_knows_and_we_missed(self, shop: Shop, happens: Any) -> None:
        happens(shop)
        before, after = MENDED[happens]
        assert state() == before
        code, lines = run()
        assert (code, [line.split()[0] for line in lines]) == (0, ["mended"])
        assert state() == after
        assert not WebhookEvent.objects.exists()

    def test_a_second_run_changes_nothing(self, shop: Shop, happens: Any) -> None:
        happens(shop)
        run()
        after = rows()
        assert run() == (0, [])
        assert rows() == after
        shop.drain(later=True)
        assert run() == (0, [])

    def test_a_dry_run_says_it_and_changes_nothing(self, shop: Shop, happens: Any) -> None:
        happens(shop)
        before = rows()
        code, (line,) = run("--dry-run")
        assert (code, line.startswith("would mend")) == (0, True)
        assert rows() == before

    def test_control_without_the_mending_it_is_left(
        self, shop: Shop, happens: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        happens(shop)
        monkeypatch.setattr("payments.stripe.services.reconcile._mend", lambda *_: None)
        before = rows()
        code, lines = run()
        assert (code, [line.split()[0] for line in lines]) == (1, ["left"])
        assert rows() == before


@pytest.mark.usefixtures("settled")
class TestAfterwards:
    def test_an_intent_nobody_wants_is_cancelled_at_stripe(self, shop: Shop) -> None:
        given_up(shop)
        run()
        intent = StripeIntent.objects.get().intent_id
        assert gateway.retrieve_intent(intent).status == "canceled"

    def test_a_refund_that_came_back_is_in_the_wallet(self, shop: Shop) -> None:
        refund_returned(shop)
        assert balance(shop.api) == ("0.00", "0.00")
        run()
        assert balance(shop.api) == ("10.00", "0.00")

    def test_a_refund_of_an_older_payment_is_found(self, shop: Shop, stripe_clock: Clock) -> None:
        stripe_clock.days = 30
        shop.bought()
        stripe_clock.days = 0
        intent = StripeIntent.objects.get().intent_id
        gateway.client().v1.refunds.create({"payment_intent": intent, "amount": 400})
        code, (line,) = run("--days", "1")
        assert (code, line.split()[0]) == (0, "mended")
        assert Payment.objects.get().refunded == 400

    def test_a_payment_before_the_window_is_not_looked_at(
        self, shop: Shop, stripe_clock: Clock
    ) -> None:
        stripe_clock.days = 30
        paid(shop)
        assert run("--days", "29") == (0, [])
        assert run("--since", "2020-01-01")[1][0].startswith("mended")

    def test_what_agrees_is_not_mentioned_and_the_sums_are_told(
        self, shop: Shop, capsys: Any
    ) -> None:
        shop.bought()
        shop.placed()
        out = StringIO()
        call_command("reconcile", stdout=out)
        (summary,) = out.getvalue().splitlines()
        assert summary.startswith("2 payments since")
        assert summary.endswith("0 mended, 0 left; Stripe 10.00 USD, clearing 10.00 USD")


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
@pytest.mark.parametrize("options", [(), ("--dry-run",)])
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

"""Purchases in one transaction: the same rows as alone, each caller's own refusal, own context."""

from typing import Any

import pytest
from django.db import IntegrityError

from accounts.ledger.models import Account, Posting, Transfer
from common.audit.models import AuditEntry
from common.idempotency import services as idempotency
from common.idempotency.models import IdempotencyRecord
from common.outbox.models import OutboxMessage
from config import invariants
from payments.checkout.services import FlashPlaced, flash
from payments.checkout.services.flash import Wish
from payments.intake.models import Payment, PaymentEvent
from shop.flash_sales.models import FlashPurchase, FlashRun, FlashUnit
from shop.flash_sales.services import many
from shop.orders.models import Order, OrderEvent, OrderLine
from tests.factories.flash import live_run
from tests.factories.orders import own_rollbacks, settled  # noqa: F401
from tests.factories.users import UserFactory, client_for
from tests.factories.wallet import rich

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_rollbacks", "settled")]


def wish(run: FlashRun, user_id: int, quantity: int = 1, **more: Any) -> Wish:
    how = {"method": "wallet", "request_id": "request-1234", "claim": None, **more}
    return Wish(slug=run.sale.slug, user_id=user_id, quantity=quantity, **how)


def kinds(answers: list[Any]) -> list[str]:
    return [type(answer).__name__ for answer in answers]


def test_each_buyer_of_a_group_has_all_rows_of_an_order() -> None:
    run = live_run(units=5, per_user_limit=3)
    answers = flash._carry_out([wish(run, rich(), 2), wish(run, rich())])
    assert kinds(answers) == ["FlashPlaced", "FlashPlaced"]
    assert [answer.units for answer in answers] == [[1, 2], [3]]
    counted = [Order, OrderLine, Payment, FlashPurchase, OutboxMessage]
    assert [model.objects.count() for model in counted] == [2] * 5
    assert AuditEntry.objects.filter(action="payment.capture").count() == 2
    assert (OrderEvent.objects.count(), PaymentEvent.objects.count()) == (4, 6)
    assert Transfer.objects.filter(kind="sale").count() == 2
    assert Posting.objects.filter(transfer__kind="sale").count() == 4
    assert FlashUnit.objects.filter(state="sold").count() == 3
    assert invariants.breaches() == []


def test_a_wallet_purchase_leaves_what_the_payment_machine_leaves(drain: Any) -> None:
    """The same purchase opened in one step and settled in another, as every other method has it."""
    run = live_run(units=2)
    [at_once] = flash._carry_out([wish(run, rich())])
    [opened] = flash._carry_out([wish(run, rich(), method="stripe")])
    payment = opened.placed.payment
    flash.intake.payment_settle(
        payment_id=payment.pk, capture=flash.intake.Capture(payment.amount, "USD", "pi_1")
    )
    assert _trace(at_once) == _trace(opened)


def _trace(bought: FlashPlaced) -> Any:
    """What is in the database, without keys, times and the name of the method."""
    order = Order.objects.get(pk=bought.placed.order.pk)
    payment = Payment.objects.get(order=order)
    purchase = FlashPurchase.objects.get(order=order)
    line = OrderLine.objects.get(order=order)
    capture = AuditEntry.objects.get(target=f"payment:{payment.uid}")
    return (
        (order.status, order.fulfilment, order.total, order.refunded, order.deadline_suspended),
        (line.sku, line.name, line.unit_price, line.quantity, line.total, line.refunded),
        [bool(each) for each in (order.paid_at, line.purchased_at, purchase.paid_at)],
        [(e.field, e.old, e.new, e.reason) for e in OrderEvent.objects.filter(order=order)],
        (payment.status, payment.reason, payment.captured, payment.refunded, payment.open_for),
        [(e.kind, e.currency, e.amount, e.data) for e in payment.events.order_by("pk")],
        [bool(e.once) for e in payment.events.order_by("pk")],
        (capture.action, capture.actor_id, sorted(capture.data)),
        (purchase.state, purchase.quantity, purchase.position),
        [(unit.state, unit.user_id == order.user_id, unit.slot) for unit in purchase.units.all()],
        OutboxMessage.objects.filter(task="payments.notices.send").count() > 0,
    )


def test_who_is_refused_leaves_no_trace_beside_those_who_are_not() -> None:
    run = live_run(units=4, per_user_limit=2, per_order_limit=2)
    twice = rich()
    wishes = [
        wish(run, rich()),
        wish(run, UserFactory().pk),
        wish(run, rich(), 3),
        wish(run, twice, 2),
        wish(run, twice),
        wish(run, rich(), 2),
    ]
    assert kinds(flash._carry_out(wishes)) == [
        "FlashPlaced",
        "InsufficientFunds",
        "OrderLimitExceeded",
        "FlashPlaced",
        "UserLimitReached",
        "SoldOut",
    ]
    assert Order.objects.count() == Payment.objects.count() == 2
    assert invariants.breaches() == []


def test_one_wallet_pays_as_often_in_a_group_as_it_has_money() -> None:
    run, user = live_run(units=5, price=500), rich(1_200)
    assert kinds(flash._carry_out([wish(run, user)] * 3)) == [
        "FlashPlaced",
        "FlashPlaced",
        "InsufficientFunds",
    ]
    account = Account.objects.get(owner_id=user)
    balances = account.postings.order_by("pk").values_list("balance", flat=True)
    assert (account.available, [*balances]) == (200, [1_200, 700, 200])
    assert invariants.breaches() == []


def claimed(user_id: int, key: str) -> idempotency.Claim:
    begun = idempotency.begin(user_id=user_id, route="POST /test/", key=key, body={})
    assert isinstance(begun, idempotency.Claim)
    idempotency._current.set(None)
    return begun


def test_each_key_is_bound_to_its_own_order_and_a_lost_one_buys_nothing() -> None:
    run, first, second = live_run(units=3), rich(), rich(500)
    mine, lost = claimed(first, "first"), claimed(second, "second")
    IdempotencyRecord.objects.filter(pk=lost.record_id).update(claim="another-call")
    wishes = [wish(run, first, claim=mine), wish(run, second, claim=lost), wish(run, second)]
    # What the lost one had taken from the purse is there for its owner's other purchase.
    answers = flash._carry_out([wishes[0], wishes[1]])
    assert kinds(answers) == ["FlashPlaced", "KeyInUse"]
    assert kinds(flash._carry_out([wishes[2]])) == ["FlashPlaced"]
    bound = IdempotencyRecord.objects.get(pk=mine.record_id)
    assert (bound.state, bound.object_ref) == ("done", answers[0].placed.order.number)
    assert IdempotencyRecord.objects.get(pk=lost.record_id).state == "running"
    assert invariants.breaches() == []


def test_rows_carry_the_request_that_asked_for_them() -> None:
    run = live_run(units=2)
    wishes = [wish(run, rich(), request_id=name) for name in ("request-aaaa", "request-bbbb")]
    for answer, name in zip(
        flash._carry_out(wishes), ("request-aaaa", "request-bbbb"), strict=True
    ):
        target = f"payment:{answer.placed.payment.uid}"
        assert AuditEntry.objects.get(target=target).request_id == name
    assert {*OutboxMessage.objects.values_list("request_id", flat=True)} == {
        "request-aaaa",
        "request-bbbb",
    }


def test_a_group_that_fails_as_a_whole_is_tried_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    run, write = live_run(units=3), many.units_write

    def at_most_one(**how: Any) -> None:
        if len(how["chosen"]) > 1:
            raise IntegrityError("a slot that a parallel call has just taken")
        write(**how)

    monkeypatch.setattr(flash.flash_sales, "units_write", at_most_one)
    answers = flash._carry_out([wish(run, rich()) for _ in range(3)])
    assert kinds(answers) == ["FlashPlaced"] * 3
    assert Order.objects.count() == 3
    assert invariants.breaches() == []


def test_control_without_the_second_try_one_buyers_trouble_is_everybodys(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def never(**how: Any) -> None:
        raise IntegrityError("a slot that a parallel call has just taken")

    monkeypatch.setattr(flash.flash_sales, "units_write", never)
    run = live_run(units=3)
    answers = flash._carry_out([wish(run, rich()) for _ in range(3)])
    assert kinds(answers) == ["Busy"] * 3
    assert not Order.objects.exists()


def test_the_answer_from_memory_is_the_answer_read_again() -> None:
    run = live_run(units=5, price=1_250)
    user_id = rich()
    client = client_for(UserFactory._meta.model.objects.get(pk=user_id))
    body = {"quantity": 2, "payment": {"method": "wallet"}}
    path = f"/api/v1/flash-sales/{run.sale.slug}/purchases/"
    headers = {"Idempotency-Key": "the-same"}
    first = client.post(path, body, format="json", headers=headers)
    again = client.post(path, body, format="json", headers=headers)
    assert (first.status_code, again["Idempotent-Replayed"]) == (201, "true")
    assert first.json() == again.json()

"""Orders in one transaction: the same rows as alone, each caller's own refusal and own key."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import OperationalError

from accounts.ledger.errors import InsufficientFunds
from accounts.ledger.models import Account, Posting, Transfer
from common.audit.models import AuditEntry
from common.idempotency import services as idempotency
from common.idempotency.models import IdempotencyRecord
from common.outbox.models import OutboxMessage
from config import invariants
from payments.checkout.selectors import join
from payments.checkout.serializers import OrderWithPaymentOut, placed_body
from payments.checkout.services import Placed, placing
from payments.checkout.services.placing import Wish
from payments.intake import services as machine
from payments.intake.models import Payment, PaymentEvent
from shop.inventory.models import Stock, StockHold, StockMovement
from shop.orders.models import Order, OrderEvent, OrderLine
from shop.orders.selectors import order_by_number
from tests.factories.orders import own_rollbacks, settled  # noqa: F401
from tests.factories.shop import ProductFactory
from tests.factories.users import UserFactory
from tests.factories.wallet import rich

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_rollbacks", "settled")]


@pytest.fixture(autouse=True)
def _goods() -> None:
    ProductFactory(slug="brass-lamp", list_price=500, stock=10)
    ProductFactory(slug="tin-mug", list_price=300, stock=3)


def wish(user_id: int, quantities: dict[str, int] | None = None, **more: Any) -> Wish:
    how = {"method": "wallet", "terms": None, "expected_total": None, "request_id": "request-1234"}
    return Wish(user_id, quantities or {"brass-lamp": 1}, **{**how, "claim": None, **more})


def kinds(answers: Any) -> list[str]:
    return [type(answer).__name__ for answer in answers]


def stock(slug: str) -> tuple[int, int]:
    row = Stock.objects.get(product__slug=slug)
    return row.on_hand, row.held


def test_each_buyer_of_a_group_has_all_rows_of_an_order() -> None:
    answers = placing._carry_out(
        [
            wish(rich(), {"tin-mug": 1, "brass-lamp": 2}),
            wish(rich()),
            wish(rich(), {"brass-lamp": 3}),
        ]
    )
    assert kinds(answers) == ["Placed"] * 3
    assert [model.objects.count() for model in (Order, Payment, OutboxMessage)] == [3] * 3
    assert (OrderLine.objects.count(), StockHold.objects.count()) == (4, 0)
    sold = StockMovement.objects.filter(kind="sold").order_by("pk")
    assert sorted(sold.values_list("stock__product__slug", "delta")) == [
        ("brass-lamp", -3), ("brass-lamp", -2), ("brass-lamp", -1), ("tin-mug", -1),
    ]  # fmt: skip
    assert (stock("brass-lamp"), stock("tin-mug")) == ((4, 0), (2, 0))
    assert AuditEntry.objects.filter(action="payment.capture").count() == 3
    assert (OrderEvent.objects.count(), PaymentEvent.objects.count()) == (6, 9)
    assert Transfer.objects.filter(kind="sale").count() == 3
    assert Posting.objects.filter(transfer__kind="sale").count() == 6
    assert invariants.breaches() == []


def test_an_order_from_the_wallet_leaves_what_the_payment_machine_leaves() -> None:
    """The same order opened in one step and settled in another, as every other method has it."""
    [at_once] = placing._carry_out([wish(rich())])
    [opened] = placing._carry_out([wish(rich(), method="stripe")])
    assert isinstance(at_once, Placed)
    assert isinstance(opened, Placed)
    assert (stock("brass-lamp"), StockHold.objects.count()) == ((9, 1), 1)
    capture = machine.Capture(opened.payment.amount, "USD", "pi_1")
    machine.payment_settle(payment_id=opened.payment.pk, capture=capture)
    assert _trace(at_once) == _trace(opened)


def _trace(placed: Placed) -> Any:
    """What is in the database, without keys, times and the name of the method."""
    order = Order.objects.get(pk=placed.order.pk)
    payment = Payment.objects.get(order=order)
    line = OrderLine.objects.get(order=order)
    audited = AuditEntry.objects.get(target=f"payment:{payment.uid}")
    return (
        (order.status, order.fulfilment, order.total, order.refunded, order.deadline_suspended),
        (line.sku, line.name, line.unit_price, line.quantity, line.total, line.refunded),
        [bool(each) for each in (order.paid_at, line.purchased_at, order.run_id)],
        [(e.field, e.old, e.new, e.reason) for e in OrderEvent.objects.filter(order=order)],
        (payment.status, payment.reason, payment.captured, payment.refunded, payment.open_for),
        [(e.kind, e.currency, e.amount, e.data) for e in payment.events.order_by("pk")],
        [bool(e.once) for e in payment.events.order_by("pk")],
        (audited.action, audited.actor_id, sorted(audited.data)),
        list(line.movements.values_list("kind", "delta", "reason")),
    )


def test_the_answer_is_what_a_reading_of_the_order_says() -> None:
    [placed] = placing._carry_out([wish(rich(), {"tin-mug": 2, "brass-lamp": 1})])
    assert isinstance(placed, Placed)
    order = order_by_number(placed.order.number)
    read = OrderWithPaymentOut(order, context={"joined": join([order])}).data
    assert placed_body(placed) == read


def test_who_is_refused_is_refused_alone_and_leaves_no_trace() -> None:
    wishes = [
        wish(rich(), {"tin-mug": 2}),
        wish(UserFactory().pk),
        wish(rich(), {"tin-mug": 2}),
        wish(rich(), {"nothing": 1}),
        wish(rich(), expected_total=1),
        wish(rich()),
    ]
    answers = placing._carry_out(wishes)
    assert kinds(answers) == [
        "Placed",
        "InsufficientFunds",
        "OutOfStock",
        "UnknownProducts",
        "PriceChanged",
        "Placed",
    ]
    short: Any = answers[2]
    assert [(e["requested"], e["available"]) for e in short.errors] == [(2, 1)]
    assert Order.objects.count() == Payment.objects.count() == 2
    assert (stock("brass-lamp"), stock("tin-mug")) == ((9, 0), (1, 0))


def test_one_wallet_pays_as_often_in_a_group_as_it_has_money() -> None:
    user = rich(1_200)
    assert kinds(placing._carry_out([wish(user)] * 2)) == ["Placed", "Placed"]
    assert kinds(placing._carry_out([wish(user)] * 2)) == ["InsufficientFunds"] * 2
    account = Account.objects.get(owner_id=user)
    balances = account.postings.order_by("pk").values_list("balance", flat=True)
    assert (account.available, [*balances]) == (200, [1_200, 700, 200])


def claimed(user_id: int, key: str) -> idempotency.Claim:
    begun = idempotency.begin(user_id=user_id, route="POST /test/", key=key, body={})
    assert isinstance(begun, idempotency.Claim)
    idempotency._current.set(None)
    return begun


def test_each_key_is_bound_to_its_own_order_and_a_lost_one_buys_nothing() -> None:
    users = [rich(), rich(), rich()]
    first, lost, third = (claimed(user, f"key-{user}") for user in users)
    IdempotencyRecord.objects.filter(pk=lost.record_id).update(claim="another-call")
    wishes = [
        wish(user, claim=claim) for user, claim in zip(users, (first, lost, third), strict=True)
    ]
    answers: Any = placing._carry_out(wishes)
    assert kinds(answers) == ["Placed", "KeyInUse", "Placed"]
    for claim, answer in ((first, answers[0]), (third, answers[2])):
        record = IdempotencyRecord.objects.get(pk=claim.record_id)
        assert (record.state, record.object_ref) == ("done", answer.order.number)
    assert IdempotencyRecord.objects.get(pk=lost.record_id).state == "running"


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many wishes each try to write had."""
    sizes: list[int] = []
    place: Callable[..., Any] = placing._place

    def seen(wishes: Any) -> Any:
        sizes.append(len(wishes))
        return place(wishes)

    monkeypatch.setattr(placing, "_place", seen)
    return sizes


def test_a_group_without_a_refusal_is_written_once(written: list[int]) -> None:
    placing._carry_out([wish(rich()) for _ in range(4)])
    assert written == [4]


def test_a_server_that_is_away_is_not_asked_for_each(
    written: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any, **__: Any) -> None:
        raise OperationalError(2006, "gone away")

    monkeypatch.setattr(placing.orders, "orders_take_stock", away)
    answers = placing._carry_out([wish(rich()) for _ in range(4)])
    assert (kinds(answers), written) == (["OperationalError"] * 4, [4])


def test_control_without_a_try_of_each_alone_one_refusal_is_everybodys() -> None:
    with pytest.raises(InsufficientFunds):
        placing._place([wish(rich()), wish(UserFactory().pk)])
    assert not Order.objects.exists()

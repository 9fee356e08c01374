"""Coins ordered in one transaction: as if one by one, each customer's own refusal and own key."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, OperationalError, transaction

from accounts.ledger.models import Account, Hold
from accounts.ledger.services import Purses
from common.idempotency import services as idempotency
from common.idempotency.models import IdempotencyRecord
from common.outbox import services as outbox
from common.outbox.models import OutboxMessage
from config import invariants
from payments.exchange import locks, selectors
from payments.exchange.models import ExchangeBatch, ExchangeOrder
from payments.exchange.serializers import ExchangeOrderOut
from payments.exchange.services import order_cancel, order_place, placing
from payments.exchange.services.placing import Placed, Wish
from tests.factories.exchange import COIN, listed
from tests.factories.orders import own_rollbacks, settled
from tests.factories.users import UserFactory
from tests.factories.wallet import rich

__all__ = ["own_rollbacks", "settled"]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_rollbacks", "settled")]


@pytest.fixture(autouse=True)
def _coins(db: None) -> None:
    listed("ABAN")


def wish(user_id: int, amount: str = "1", **more: Any) -> Wish:
    """A coin is $4, and $10 are enough."""
    return replace(placing._wish(user_id, "ABAN", Decimal(amount)), **more)


def kinds(answers: Any) -> list[str]:
    return [type(answer).__name__ for answer in answers]


def placed(wishes: list[Wish]) -> list[ExchangeOrder]:
    answers = placing._carry_out(wishes)
    assert kinds(answers) == ["Placed"] * len(wishes)
    return [answer.order for answer in answers if isinstance(answer, Placed)]


def batches() -> list[tuple[str, int, int, int]]:
    found = ExchangeBatch.objects.filter(members__gt=0).order_by("pk")
    return [(b.state, b.members, b.units, b.cost) for b in found]


def statuses() -> list[str]:
    return [*ExchangeOrder.objects.order_by("pk").values_list("status", flat=True)]


def test_each_customer_of_a_group_has_an_order_a_hold_and_the_batch() -> None:
    users = [rich(1_000), rich(1_000)]
    orders = placed([wish(users[0]), wish(users[1], "0.5")])
    assert [(o.user_id, o.amount, o.cost) for o in orders] == [
        (users[0], COIN, 400), (users[1], COIN // 2, 200),
    ]  # fmt: skip
    assert batches() == [("open", 2, COIN * 3 // 2, 600)]
    accounts = Account.objects.filter(owner__in=users).order_by("pk")
    assert [(a.available, a.held) for a in accounts] == [(600, 400), (800, 200)]
    for order in orders:
        hold = Hold.objects.get(pk=order.hold_id)
        assert (hold.reference, hold.about) == (f"exchange:{order.uid}",) * 2
        assert (hold.amount, hold.status, hold.expires_at) == (order.cost, "pending", None)
    assert not OutboxMessage.objects.exists()


def test_the_answer_is_what_a_reading_of_the_order_says() -> None:
    for order in placed([wish(rich()) for _ in range(4)]) + placed([wish(rich(), "3")]):
        read = selectors.order_of(order.user_id, str(order.uid))
        assert ExchangeOrderOut(order).data == ExchangeOrderOut(read).data


def test_a_group_fills_one_batch_after_another_as_if_its_orders_had_come_alone() -> None:
    placed([wish(rich())])
    # The first two make the waiting one enough, the next three a batch, and one begins another.
    placed([wish(rich(), request_id=f"request-{number}") for number in range(1, 7)])
    full = ("sealed", 3, 3 * COIN, 1200)
    assert batches() == [full, full, ("open", 1, COIN, 400)]
    assert statuses() == ["settling"] * 6 + ["pooled"]
    orders = ExchangeOrder.objects.order_by("pk").values_list("batch_id", flat=True)
    assert [*orders] == sorted(orders)
    # Whose order was the last of a batch, that request is seen to settle it.
    messages = OutboxMessage.objects.order_by("pk").values_list("payload", "request_id")
    sealed = ExchangeBatch.objects.filter(state="sealed").order_by("pk")
    assert [*messages] == [
        ({"batch_id": batch.pk}, request)
        for batch, request in zip(sealed, ("request-2", "request-5"), strict=True)
    ]


def test_money_that_an_order_of_ones_own_did_not_take_after_all_is_there_for_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    user, insert = rich(1_000), placing._insert

    def lost(orders: Any, *rest: Any) -> None:
        if any(order.cost == 800 for order in orders):
            raise OperationalError(2013, "Lost connection")
        insert(orders, *rest)

    monkeypatch.setattr(placing, "_insert", lost)
    answers = placing._carry_out([wish(user, "2"), wish(user, "1.25")])
    assert kinds(answers) == ["OperationalError", "Placed"]
    assert batches() == [("open", 1, COIN * 5 // 4, 500)]


def test_a_group_ends_with_no_open_batch_where_its_last_order_makes_it_enough() -> None:
    placed([wish(rich()) for _ in range(3)])
    assert batches() == [("sealed", 3, 3 * COIN, 1200)]
    assert not ExchangeBatch.objects.filter(open_for__isnull=False).exists()


def test_a_batch_that_everybody_has_left_waits_from_its_next_member_on() -> None:
    [gone] = placed([wish(rich())])
    order_cancel(order_id=gone.pk)
    [came] = placed([wish(rich())])
    assert came.batch_id == gone.batch_id
    assert ExchangeBatch.objects.get(pk=came.batch_id).opened_at == came.placed_at


def test_a_minimum_that_changed_since_the_price_was_read_counts() -> None:
    waiting = [wish(rich()) for _ in range(2)]
    coin = listed("ABAN")
    type(coin).objects.filter(pk=coin.pk).update(minimum=800)
    placed(waiting)
    assert batches() == [("sealed", 2, 2 * COIN, 800)]


def test_orders_that_are_enough_have_batches_of_their_own_and_wait_for_no_pool(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def locked(currency_id: int) -> None:
        raise AssertionError("the pool was locked")

    monkeypatch.setattr(locks, "pool", locked)
    wishes = [wish(rich(), "3", request_id=f"request-{number}") for number in range(1, 4)]
    placed(wishes)
    assert batches() == [("sealed", 1, 3 * COIN, 1200)] * 3
    assert statuses() == ["settling"] * 3
    sent = OutboxMessage.objects.exclude(sent_at=None).order_by("pk")
    assert [m.request_id for m in sent] == ["request-1", "request-2", "request-3"]


def test_each_thread_hands_over_the_message_of_the_batch_that_its_order_completed(
    monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any, settings: Any
) -> None:
    settings.EXCHANGE_VENUE_URL = "http://127.0.0.1:1"
    sent: list[Any] = []
    monkeypatch.setattr(outbox, "send", lambda *message: sent.append(message))
    answers: Any = placing._carry_out([wish(rich()) for _ in range(4)])
    assert [bool(answer.message) for answer in answers] == [False, False, True, False]
    assert sent == []
    with django_capture_on_commit_callbacks(execute=True):
        order = order_place(user_id=rich(), symbol="ABAN", amount=Decimal(3))
        assert sent == []
    message = OutboxMessage.objects.get(payload__batch_id=order.batch_id)
    assert sent == [(message.pk, message.task, message.payload)]


def test_small_and_large_orders_and_coins_share_no_group() -> None:
    user = rich()
    lanes = [
        placing._group(each)
        for each in (
            wish(user),
            wish(rich(), "2.4"),
            wish(user, "3"),
            placing._wish(user, "BTC", Decimal("0.1")),
        )
    ]
    assert lanes[0] is lanes[1]
    assert len(set(map(id, lanes))) == 3


# Refusals


def test_who_has_too_little_is_refused_alone_and_leaves_no_trace() -> None:
    wishes = [wish(rich()), wish(rich(399)), wish(UserFactory().pk), wish(rich())]
    answers: Any = placing._carry_out(wishes)
    assert kinds(answers) == [
        "Placed", "InsufficientFunds", "InsufficientFunds", "Placed",
    ]  # fmt: skip
    assert [answers[place].extra["available"] for place in (1, 2)] == ["3.99", "0.00"]
    assert batches() == [("open", 2, 2 * COIN, 800)]
    assert ExchangeOrder.objects.count() == Hold.objects.count() == 2


def test_one_wallet_pays_as_often_in_a_group_as_it_has_money() -> None:
    user = rich(1_000)
    wishes = [wish(user), wish(user), wish(user), wish(user, "0.5")]
    answers: Any = placing._carry_out(wishes)
    assert kinds(answers) == [
        "Placed", "Placed", "InsufficientFunds", "Placed",
    ]  # fmt: skip
    assert answers[2].extra["available"] == "2.00"
    account = Account.objects.get(owner_id=user)
    assert (account.available, account.held) == (0, 1_000)


def test_control_without_sight_of_each_other_one_customers_orders_spend_money_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Purses, "take", lambda *_: None)
    user = rich(1_000)
    with transaction.atomic():
        placed([wish(user) for _ in range(3)])
        assert invariants.breaches() != []
        transaction.set_rollback(True)


def claimed(user_id: int, key: str) -> idempotency.Claim:
    begun = idempotency.begin(user_id=user_id, route="POST /test/", key=key, body={})
    assert isinstance(begun, idempotency.Claim)
    idempotency._current.set(None)
    return begun


def test_each_key_is_bound_to_its_own_order_and_replays_it() -> None:
    users = [rich(), rich(399), rich(), rich()]
    claims = [claimed(user, "key") for user in users]
    # Of four: an order, a refusal, a claim that another call has taken over, an order.
    IdempotencyRecord.objects.filter(pk=claims[2].record_id).update(claim="another-call")
    answers: Any = placing._carry_out(
        [wish(user, claim=claim) for user, claim in zip(users, claims, strict=True)]
    )
    assert kinds(answers) == ["Placed", "InsufficientFunds", "KeyInUse", "Placed"]
    for place in (0, 3):
        again = idempotency.begin(user_id=users[place], route="POST /test/", key="key", body={})
        assert isinstance(again, idempotency.Replay)
        assert (again.status, again.object_ref) == (201, str(answers[place].order.uid))
    states = IdempotencyRecord.objects.order_by("pk").values_list("state", "object_ref")
    assert [*states][1:3] == [("running", "")] * 2
    assert ExchangeOrder.objects.count() == 2


# One transaction


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
    placed([wish(rich()) for _ in range(4)])
    assert written == [4]


def test_after_a_refusal_the_others_are_written_together(written: list[int]) -> None:
    placing._carry_out([wish(rich()), wish(rich(1)), wish(rich()), wish(rich())])
    assert written == [4, 3]


def test_what_fails_for_a_group_is_tried_for_each_alone(
    written: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    holds_place = placing.holds_place

    def failing(*, purses: Any, spends: Any) -> Any:
        if len(spends) > 1:
            raise IntegrityError
        return holds_place(purses=purses, spends=spends)

    monkeypatch.setattr(placing, "holds_place", failing)
    placed([wish(rich()) for _ in range(3)])
    assert written == [3, 1, 1, 1]
    assert batches() == [("sealed", 3, 3 * COIN, 1200)]


def test_a_server_that_is_away_is_not_asked_for_each(
    written: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any, **__: Any) -> None:
        raise OperationalError(2006, "gone away")

    monkeypatch.setattr(placing, "holds_place", away)
    answers = placing._carry_out([wish(rich()) for _ in range(4)])
    assert (kinds(answers), written) == (["OperationalError"] * 4, [4])


def test_control_without_another_try_one_refusal_is_everybodys() -> None:
    with pytest.raises(placing._Refused):
        placing._place([wish(rich()), wish(UserFactory().pk)])
    assert not ExchangeOrder.objects.exists()
    assert not ExchangeBatch.objects.filter(members__gt=0).exists()

"""A refund that is on its way while its customer's past is summed up."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, connections, transaction

from common import clock
from payments.checkout.selectors import history_differences
from payments.checkout.services import history_count
from payments.intake import locks as intake_locks
from shop.orders import services as orders
from shop.orders.models import Order, OrderLine, PastPurchases
from shop.orders.rules import LineShare
from tests.races.parallel import paid_order

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_stripe")]


def paid_yesterday() -> tuple[int, int]:
    """The payment and the customer of an order that is part of what is summed."""
    placed, moment = paid_order(), clock.now() - timedelta(days=1)
    Order.objects.filter(pk=placed.order.pk).update(paid_at=moment)
    OrderLine.objects.filter(order=placed.order).update(purchased_at=moment)
    return placed.payment.pk, placed.order.user_id


def refund_around(payment_id: int, count: Callable[[], Any]) -> None:
    """Money goes back, and before that is committed somebody begins to count."""
    changed, counting = threading.Event(), threading.Event()

    def run() -> None:
        try:
            changed.wait(120)
            counting.set()
            count()
        finally:
            connections.close_all()

    counter = threading.Thread(target=run)
    counter.start()
    with transaction.atomic():
        order = intake_locks.payment(payment_id).order
        assert order is not None
        line = order.lines.get()
        shares = [LineShare(line.pk, 100, 0)]
        orders.order_refund(order, shares, restock=False, actor_id=None, reason="race")
        changed.set()
        assert counting.wait(120)
        # Long enough for a count that nothing makes wait.
        counter.join(1)
    counter.join(120)
    assert not counter.is_alive()


def summed_beside_a_refund() -> list[str]:
    payment_id, user_id = paid_yesterday()
    refund_around(payment_id, lambda: history_count(user_id=user_id))
    assert PastPurchases.objects.get().until is not None
    with connection.cursor() as cursor:
        cursor.execute("SELECT refunded FROM shop_orderline")
        assert cursor.fetchone() == (100,)
    return list(history_differences())


@pytest.mark.proof(
    "A past that is summed beside a refund",
    size="one count within one refund",
    control="test_control_a_refund_that_nobody_waits_for_is_missed",
    runs=20,
)
def test_who_counts_waits_for_the_refund() -> None:
    assert summed_beside_a_refund() == []


def test_control_a_refund_that_nobody_waits_for_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its lock the sums are made void before they are written."""

    def void(order: Order) -> None:
        PastPurchases.objects.filter(pk=order.user_id).update(until=None)

    monkeypatch.setattr(orders, "past_void", void)
    assert len(summed_beside_a_refund()) == 1

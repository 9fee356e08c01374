"""Each invariant sees its breach: a check that cannot fail proves nothing."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models import F, QuerySet
from django.db.models.functions import Now

from common.outbox.models import OutboxMessage
from config import invariants
from payments.intake.models import Payment, Refund
from shop.inventory.models import Stock, StockHold, StockMovement
from shop.orders.models import Order
from tests.factories.orders import buy, own_rollbacks, place
from tests.factories.shop import ProductFactory

__all__ = ["own_rollbacks"]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_rollbacks", "sandbox")]


def _open() -> Any:
    return Order.objects.filter(status="pending_payment")


def _paid() -> Any:
    return Order.objects.filter(status="paid")


BREACHES: dict[str, tuple[Callable[[], Any], str]] = {
    "on hand": (lambda: Stock.objects.update(on_hand=F("on_hand") + 1), "on hand"),
    "held": (lambda: Stock.objects.filter(held__gt=0).update(held=F("held") - 1), "live holds"),
    "sold": (
        lambda: QuerySet(StockMovement).filter(kind="sold").update(kind="adjusted"),
        "another number was sold",
    ),
    "sold in no order": (lambda: _paid().update(status="cancelled"), "sold in no paid order"),
    "dead hold": (lambda: _open().update(status="cancelled"), "its order is not open"),
    "no hold": (
        lambda: StockHold.objects.filter(released_at=None).update(
            released_at=Now(), outcome="released"
        ),
        "holds nothing",
    ),
    "late": (
        lambda: _open().update(expires_at=Now() - timedelta(minutes=1)),
        "past its deadline",
    ),
    "captured": (
        lambda: Payment.objects.filter(captured__gt=0).update(captured=F("captured") + 1),
        "captured 1001",
    ),
    "refunded": (
        lambda: Payment.objects.filter(captured__gt=0).update(refunded=1),
        "refunded 1",
    ),
    "reserved": (
        lambda: Payment.objects.filter(captured__gt=0).update(refund_pending=1),
        "reserved 1",
    ),
    "reserved for nothing": (
        lambda: Refund.objects.create(
            payment=Payment.objects.get(captured__gt=0), currency="USD", amount=1, reason="x"
        ),
        "reserved 0",
    ),
    "idle money": (
        lambda: Payment.objects.filter(captured__gt=0).update(status="failed"),
        "its order is not paid",
    ),
    "no money": (lambda: _paid().update(total=F("total") + 1), "came in"),
    "open": (
        lambda: Payment.objects.filter(status="awaiting").update(open_for=None),
        "open for None",
    ),
    "closed": (
        lambda: Payment.objects.filter(status="awaiting").update(status="failed"),
        "failed, open for",
    ),
    "overdue": (
        lambda: OutboxMessage.objects.filter(done_at=None).update(
            next_attempt_at=Now() - timedelta(seconds=61)
        ),
        "over 60 s late",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BREACHES)
def test_a_breach_is_seen(api: Any, drain: Any, name: str) -> None:
    ProductFactory(slug="a", list_price=1000, stock=5)
    buy(api, drain, ("a", 1))
    place(api, ("a", 1))
    assert invariants.breaches() == []
    break_it, line = BREACHES[name]
    break_it()
    found = invariants.breaches()
    assert any(line in breach for breach in found), found


@pytest.mark.parametrize(
    ("sql", "constraint"),
    [
        ("UPDATE shop_stock SET held = on_hand + 1", "stock_not_oversold"),
        ("UPDATE shop_stock SET held = -1", "stock_held_not_negative"),
        ("UPDATE payments_payment SET refunded = captured + 1", "payment_refunded_within_captured"),
        ("UPDATE payments_payment SET status = 'review'", "payment_review_has_reason"),
        ("UPDATE shop_order SET refunded = total + 1", "order_refunded_within_total"),
        ("UPDATE shop_orderline SET refunded_quantity = 99", "line_refunded_within_quantity"),
    ],
)
def test_the_database_itself_refuses_the_worst(api: Any, sql: str, constraint: str) -> None:
    ProductFactory(slug="a", list_price=1000, stock=5)
    place(api, ("a", 1))
    with pytest.raises(Exception, match=constraint), connection.cursor() as cursor:
        cursor.execute(sql)

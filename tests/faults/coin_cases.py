"""Worlds for the exchange's tasks."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.db.models.functions import Now

from accounts.ledger.selectors import balances_of
from common import clock
from payments.exchange import gateway as venue
from payments.exchange import services as exchange
from payments.exchange.models import ExchangeAttempt, ExchangeBatch, ExchangeOrder
from payments.exchange.services import send
from tests.factories.exchange import fund, listed
from tests.factories.users import UserFactory
from tests.faults.cases import Case


def coins_ordered(amount: str) -> ExchangeOrder:
    listed("ABAN")
    user = fund(UserFactory(), 5000)
    return exchange.order_place(user_id=user.pk, symbol="ABAN", amount=Decimal(amount))


def of_coins(order: ExchangeOrder, **payload: Any) -> Case:
    """The order, what its customer has, and how often the venue has bought for it."""
    rows = ExchangeOrder.objects.filter(pk=order.pk)
    attempts = ExchangeAttempt.objects.filter(batch=order.batch)

    def bought() -> list[Any]:
        ids = set(attempts.values_list("client_order_id", flat=True))
        told = venue.statement(clock.now() - timedelta(days=1))
        return [each.filled for each in told if each.client_order_id in ids]

    return Case(
        lambda: (rows.values_list("status", "filled").get(), balances_of(order.user_id), bought()),
        payload,
    )


def settle_batch(sandbox: Any) -> Case:
    order = coins_ordered("3")
    return of_coins(order, batch_id=order.batch_id)


def sweep(sandbox: Any) -> Case:
    """A batch that has waited long enough."""
    order = coins_ordered("1")
    ExchangeBatch.objects.filter(pk=order.batch_id).update(opened_at=Now() - timedelta(days=1))
    return of_coins(order)


def reconcile(sandbox: Any) -> Case:
    """The venue has bought, and the process that asked died before it wrote that down."""
    order = coins_ordered("3")
    attempt = send._attempt_take(order.batch_id or 0)
    assert attempt is not None
    send._ask(attempt)
    ExchangeAttempt.objects.filter(pk=attempt.pk).update(leased_until=None)
    return of_coins(order)

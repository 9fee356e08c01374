"""Batches that are being filled: joined, left and sealed, by one transaction after another.

All of it runs in the caller's transaction, which holds the pool's lock.
"""

from django.db.models.functions import Now

from common.outbox.services import enqueue
from payments.exchange import rules, selectors
from payments.exchange.models import ExchangeBatch, ExchangeCurrency, ExchangeOrder
from payments.exchange.rules import BatchState, OrderStatus

SETTLE = "payments.exchange.settle_batch"


def batch_open(currency: ExchangeCurrency) -> ExchangeBatch:
    """The coin's open batch, or a new one."""
    found = selectors.open_batch(currency.pk)
    return found or ExchangeBatch.objects.create(currency=currency, open_for=currency.pk)


def batch_join(batch: ExchangeBatch, order: ExchangeOrder) -> None:
    if not batch.members:
        # Nobody has waited in it yet.
        batch.opened_at = Now()
    _count(batch, order, 1)


def batch_leave(batch: ExchangeBatch, order: ExchangeOrder) -> None:
    _count(batch, order, -1)


def _count(batch: ExchangeBatch, order: ExchangeOrder, sign: int) -> None:
    batch.members += sign
    batch.units += sign * order.amount
    batch.cost += sign * order.cost
    batch.worth += sign * rules.worth(order.amount, order.unit_price)
    batch.save(update_fields=["members", "units", "cost", "worth", "opened_at"])


def batch_is_enough(batch: ExchangeBatch, currency: ExchangeCurrency) -> bool:
    return batch.worth >= rules.worth_of_cents(currency.minimum, currency.decimals)


def batch_seal(batch: ExchangeBatch, *, house_units: int = 0) -> None:
    """Freeze its members and have it sent once this transaction has committed."""
    batch.house_units = house_units
    batch_close(batch)
    settle_later(batch)


def batch_close(batch: ExchangeBatch) -> None:
    """Nobody joins or leaves any more."""
    batch.state, batch.open_for, batch.sealed_at = BatchState.SEALED, None, Now()
    batch.save(update_fields=["state", "open_for", "sealed_at", "house_units"])
    pooled = ExchangeOrder.objects.filter(batch=batch, status=OrderStatus.POOLED)
    pooled.update(status=OrderStatus.SETTLING)


def settle_later(batch: ExchangeBatch) -> None:
    """Somebody is to see to the batch, whatever becomes of this process after its commit."""
    enqueue(SETTLE, batch_id=batch.pk)

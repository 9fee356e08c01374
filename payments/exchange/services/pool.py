"""Batches that are being filled: joined, left and sealed, by one transaction after another.

All of it runs in the caller's transaction, which holds the pool's lock; `Pool` takes it.
"""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any, Final

from django.db.models.functions import Now

from common import rows
from common.outbox.models import OutboxMessage
from common.outbox.services import enqueue, enqueue_unsent
from payments.exchange import locks, rules, selectors
from payments.exchange.models import ExchangeBatch, ExchangeCurrency, ExchangeOrder
from payments.exchange.rules import BatchState, OrderStatus

SETTLE = "payments.exchange.settle_batch"


class Pool:
    """A coin's open batch, locked, which orders join one after another; when it is enough it is
    sealed, and the next order opens another one. `batches_write` writes what became of them.
    """

    def __init__(self, currency_id: int) -> None:
        locks.pool(currency_id)
        # Read under the lock: the minimum may have changed since the price was read.
        self._currency = selectors.currency(currency_id)
        self._open = selectors.open_batch(currency_id)

    def join(self, order: ExchangeOrder, now: datetime) -> ExchangeBatch:
        """The batch that the order is in, not written yet."""
        batch = self._open or ExchangeBatch(currency=self._currency, open_for=self._currency.pk)
        if not batch.members:
            # Nobody has waited in it yet.
            batch.opened_at = now
        _count(batch, order, 1)
        self._open = batch
        if batch_is_enough(batch, self._currency):
            _freeze(batch, now)
            self._open = None
        return batch


def batch_of_one(order: ExchangeOrder, now: datetime) -> ExchangeBatch:
    """Its own from the first moment: no other order waits for this one."""
    batch = ExchangeBatch(currency=order.currency, opened_at=now)
    _count(batch, order, 1)
    _freeze(batch, now)
    return batch


def batch_leave(batch: ExchangeBatch, order: ExchangeOrder) -> None:
    _count(batch, order, -1)
    batch.save(update_fields=["members", "units", "cost", "worth"])


def _count(batch: ExchangeBatch, order: ExchangeOrder, sign: int) -> None:
    batch.members += sign
    batch.units += sign * order.amount
    batch.cost += sign * order.cost
    batch.worth += sign * rules.worth(order.amount, order.unit_price)


def batch_is_enough(batch: ExchangeBatch, currency: ExchangeCurrency) -> bool:
    return batch.worth >= rules.worth_of_cents(currency.minimum, currency.decimals)


_JOINED: Final = (
    *("state", "open_for", "members", "units", "cost", "worth", "opened_at", "sealed_at"),
)
_NEW: Final = (
    *("uid", "currency_id", *_JOINED, "house_units", "filled", "house_filled", "dust"),
    *("venue_cost", "reason"),
)


def batches_write(batches: Iterable[ExchangeBatch]) -> None:
    """Insert the new ones and change the others, in one statement each."""
    found = {batch.uid: batch for batch in batches}.values()
    # These first: of each coin one may be open.
    _change([batch for batch in found if batch.pk])
    _insert([batch for batch in found if not batch.pk])


def _change(batches: Collection[ExchangeBatch]) -> None:
    if not batches:
        return
    columns = {name: {b.pk: getattr(b, name) for b in batches} for name in _JOINED}
    rows.change(ExchangeBatch, columns)
    _members_settle([batch.pk for batch in batches if batch.state == BatchState.SEALED])


def _insert(batches: Collection[ExchangeBatch]) -> None:
    if not batches:
        return
    values = [[getattr(batch, name) for name in _NEW] for batch in batches]
    keys = rows.insert_keyed(ExchangeBatch, _NEW, values, by="uid")
    for batch in batches:
        batch.pk, batch._state.adding = keys[batch.uid], False


def batch_seal(batch: ExchangeBatch, *, house_units: int = 0) -> None:
    """Freeze its members and have it sent once this transaction has committed."""
    batch.house_units = house_units
    batch_close(batch)
    settle_later(batch)


def batch_close(batch: ExchangeBatch) -> None:
    """Nobody joins or leaves any more."""
    _freeze(batch, Now())
    batch.save(update_fields=["state", "open_for", "sealed_at", "house_units"])
    _members_settle([batch.pk])


def _freeze(batch: ExchangeBatch, at: Any) -> None:
    batch.state, batch.open_for, batch.sealed_at = BatchState.SEALED, None, at


def _members_settle(batch_ids: Collection[int]) -> None:
    pooled = ExchangeOrder.objects.filter(batch__in=batch_ids, status=OrderStatus.POOLED)
    pooled.update(status=OrderStatus.SETTLING)


def settle_later(batch: ExchangeBatch) -> None:
    """Somebody is to see to the batch, whatever becomes of this process after its commit."""
    enqueue(SETTLE, batch_id=batch.pk)


def settle_unsent(batch: ExchangeBatch, *, request_id: str, now: datetime) -> OutboxMessage:
    """`settle_later`, for the thread of this request to hand over after the commit."""
    return enqueue_unsent(SETTLE, {"batch_id": batch.pk}, request_id=request_id, now=now)

"""Orders: placed with their money set aside, and cancelled while they wait for company."""

from dataclasses import dataclass
from decimal import Decimal
from uuid import uuid4

from django.conf import settings
from django.db.models.functions import Now

from accounts.ledger.rules import customer
from accounts.ledger.services import hold_place, hold_void
from common import money
from common.db import transactional
from common.errors import InvalidTransition
from common.idempotency.services import bind
from payments.exchange import locks, rules, selectors
from payments.exchange.errors import AboveLimit, ExchangeClosed, TooManyDecimals
from payments.exchange.models import ExchangeBatch, ExchangeOrder
from payments.exchange.rules import CASH, OrderStatus
from payments.exchange.services import pool
from payments.exchange.services.prices import Terms, terms_of


@dataclass(frozen=True, slots=True)
class Wanted:
    """An order before it is written: `units` are base units, `cost` is in cents."""

    user_id: int
    terms: Terms
    units: int
    cost: int

    @property
    def is_enough(self) -> bool:
        """Whether it reaches the venue's minimum by itself."""
        row = self.terms.currency
        least = rules.worth_of_cents(row.minimum, row.decimals)
        return rules.worth(self.units, self.terms.price) >= least


def order_place(*, user_id: int, symbol: str, amount: Decimal) -> ExchangeOrder:
    """Take an order at the price of this moment; its cost is held, and it waits for its batch.

    Raises ExchangeClosed, UnknownCurrency, TooManyDecimals, AboveLimit, RateUnavailable,
    InsufficientFunds.
    """
    if not selectors.is_open():
        raise ExchangeClosed(retry_after=60)
    terms = terms_of(symbol)
    units = _units(amount, symbol)
    cost = rules.cost(units, terms.price, terms.currency.decimals)
    most = settings.EXCHANGE_ORDER_MAX_USD * 10 ** money.DECIMALS[CASH]
    if cost > most:
        raise AboveLimit(money.to_text(most, CASH))
    return _place(Wanted(user_id, terms, units, cost))


def _units(amount: Decimal, symbol: str) -> int:
    try:
        return money.to_minor(amount, symbol)
    except ValueError as error:
        raise TooManyDecimals from error


@transactional
def _place(wanted: Wanted) -> ExchangeOrder:
    uid = uuid4()
    bind(str(uid), status=201)
    batch = _batch_for(wanted)
    reference = f"exchange:{uid}"
    hold = hold_place(
        reference=reference,
        account=customer(wanted.user_id, CASH),
        amount=wanted.cost,
        about=reference,
    )
    order = ExchangeOrder.objects.create(
        uid=uid,
        user_id=wanted.user_id,
        currency=wanted.terms.currency,
        amount=wanted.units,
        unit_price=wanted.terms.price,
        price_source=wanted.terms.source,
        cost=wanted.cost,
        batch=batch,
        hold=hold,
    )
    _join(batch, order)
    return order


def _batch_for(wanted: Wanted) -> ExchangeBatch:
    currency = wanted.terms.currency
    if wanted.is_enough:
        # Its own from the first moment: no other order waits for this one.
        return ExchangeBatch.objects.create(
            currency=currency,
            state=rules.BatchState.SEALED,
            sealed_at=Now(),
            members=1,
            units=wanted.units,
            cost=wanted.cost,
            worth=rules.worth(wanted.units, wanted.terms.price),
        )
    locks.pool(currency.pk)
    return pool.batch_open(currency)


def _join(batch: ExchangeBatch, order: ExchangeOrder) -> None:
    if batch.state != rules.BatchState.OPEN:
        pool.batch_seal(batch)
        return
    pool.batch_join(batch, order)
    # Read under the lock: the minimum may have changed since the price was read.
    if pool.batch_is_enough(batch, selectors.currency(order.currency_id)):
        pool.batch_seal(batch)


@transactional
def order_cancel(*, order_id: int) -> None:
    """Give up an order that waits; all of its money is free again. Raises InvalidTransition."""
    found = selectors.order(order_id)
    bind(str(found.uid), status=200)
    locks.pool(found.currency_id)
    # Read again under the lock: its batch may have been sealed meanwhile.
    order = selectors.order(order_id)
    batch = selectors.open_batch(order.currency_id)
    if order.status != OrderStatus.POOLED or batch is None:
        raise InvalidTransition("order", order.status, OrderStatus.CANCELLED)
    pool.batch_leave(batch, order)
    order.status, order.batch, order.decided_at = OrderStatus.CANCELLED, None, Now()
    order.save(update_fields=["status", "batch", "decided_at"])
    hold_void(hold_id=order.hold_id)

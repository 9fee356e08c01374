"""Orders placed with their money set aside, those that wait at the same moment in one transaction.

Each customer is answered after the COMMIT. Who is refused (for want of money, or of a key that
another call has taken over) is found out before anything but keys is written: that is rolled back,
and the others are placed without.
"""

import functools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID, uuid4

from django.conf import settings
from django.db import InterfaceError, OperationalError

from accounts.ledger.errors import InsufficientFunds
from accounts.ledger.services import Purses, Spend, holds_place
from common import clock, context, money, rows
from common.db import transactional
from common.errors import Busy
from common.idempotency import services as idempotency
from common.idempotency.errors import KeyInUse
from common.idempotency.services import Claim
from common.outbox import services as outbox
from common.outbox.models import OutboxMessage
from common.together import Together
from payments.exchange import rules, selectors
from payments.exchange.errors import AboveLimit, ExchangeClosed, TooManyDecimals
from payments.exchange.models import ExchangeBatch, ExchangeOrder
from payments.exchange.rules import CASH, BatchState, OrderStatus
from payments.exchange.services import pool
from payments.exchange.services.prices import Terms, terms_of


@dataclass(frozen=True, slots=True, eq=False)
class Wish:
    """A waiting order, with what its request carries: the thread that writes it is another's.

    `units` are base units, `cost` is in cents.
    """

    user_id: int
    terms: Terms
    units: int
    cost: int
    request_id: str
    claim: Claim | None
    uid: UUID = field(default_factory=uuid4)

    @property
    def is_enough(self) -> bool:
        """Whether it reaches the venue's minimum by itself."""
        row = self.terms.currency
        least = rules.worth_of_cents(row.minimum, row.decimals)
        return rules.worth(self.units, self.terms.price) >= least

    @property
    def reference(self) -> str:
        """Of its hold."""
        return f"exchange:{self.uid}"


@dataclass(frozen=True, slots=True)
class Placed:
    """An order, and where it was the last of its batch the message that has the batch settled."""

    order: ExchangeOrder
    message: OutboxMessage | None


class _Refused(Exception):
    """Some of a group are refused, and nothing of it may be written. Never leaves this file."""

    def __init__(self, errors: Mapping[Wish, Exception]) -> None:
        self.errors = errors


Answer = Placed | Exception


def order_place(*, user_id: int, symbol: str, amount: Decimal) -> ExchangeOrder:
    """Take an order at the price of this moment; its cost is held, and it waits for its batch.

    Raises ExchangeClosed, UnknownCurrency, TooManyDecimals, AboveLimit, RateUnavailable,
    InsufficientFunds.
    """
    if not selectors.is_open():
        raise ExchangeClosed(retry_after=60)
    wish = _wish(user_id, symbol, amount)
    placed = _group(wish).call(wish)
    if placed.message:
        # Not in the group, whose other customers would wait for the broker.
        outbox.hand_over(placed.message)
    return placed.order


def _wish(user_id: int, symbol: str, amount: Decimal) -> Wish:
    terms = terms_of(symbol)
    units = _units(amount, symbol)
    cost = rules.cost(units, terms.price, terms.currency.decimals)
    most = settings.EXCHANGE_ORDER_MAX_USD * 10 ** money.DECIMALS[CASH]
    if cost > most:
        raise AboveLimit(money.to_text(most, CASH))
    return Wish(user_id, terms, units, cost, context.request_id.get(), idempotency.running())


def _units(amount: Decimal, symbol: str) -> int:
    try:
        return money.to_minor(amount, symbol)
    except ValueError as error:
        raise TooManyDecimals from error


def _group(wish: Wish) -> Together[Wish, Placed]:
    """Those whose orders may share a transaction: all join one coin's open batch, or none any."""
    if wish.is_enough:
        # It waits for nobody: not for those either who wait for a pool.
        return _ALONE[wish.user_id % len(_ALONE)]
    return _pooled(wish.terms.currency.pk)


@functools.cache
def _pooled(currency_id: int) -> Together[Wish, Placed]:
    return Together(_carry_out)


def _carry_out(wishes: Sequence[Wish]) -> list[Answer]:
    try:
        return [*_place(wishes)]
    except _Refused as some:
        return _without(wishes, some.errors)
    except (Busy, OperationalError, InterfaceError) as error:
        # Alone, each would wait for the same row or server as long again.
        return [error] * len(wishes)
    except Exception as error:
        if len(wishes) == 1:
            return [error]
    return [answer for wish in wishes for answer in _carry_out([wish])]


def _without(wishes: Sequence[Wish], refused: Mapping[Wish, Exception]) -> list[Answer]:
    left = [wish for wish in wishes if wish not in refused]
    answers: dict[Wish, Answer] = {**refused}
    if left:
        answers |= zip(left, _carry_out(left), strict=True)
        failed = {wish.user_id for wish in left if isinstance(answers[wish], Exception)}
        # Refused for money that an order of his own was to take, and that is still there.
        again = [wish for wish, error in refused.items() if _is_short(error, wish, failed)]
        answers |= {wish: _carry_out([wish])[0] for wish in again}
    return [answers[wish] for wish in wishes]


def _is_short(error: Exception, wish: Wish, customers: Collection[int]) -> bool:
    return isinstance(error, InsufficientFunds) and wish.user_id in customers


@transactional
def _place(wishes: Sequence[Wish]) -> list[Placed]:
    """All wishes of a group, or none. Locks: keys, the pool, wallets by key; then new rows."""
    _bind(wishes)
    first = wishes[0]
    shared = None if first.is_enough else pool.Pool(first.terms.currency.pk)
    purses = Purses({wish.user_id for wish in wishes}, CASH)
    _take(purses, wishes)
    now = clock.now()
    orders = [_order(wish, now) for wish in wishes]
    batches = [shared.join(o, now) if shared else pool.batch_of_one(o, now) for o in orders]
    pool.batches_write(batches)
    _insert(orders, batches, _hold(purses, wishes))
    messages = _settle(wishes, batches, now)
    return [Placed(order, messages.get(wish)) for wish, order in zip(wishes, orders, strict=True)]


def _bind(wishes: Sequence[Wish]) -> None:
    refs = {wish.claim: str(wish.uid) for wish in wishes if wish.claim}
    lost = idempotency.bind_many(refs, status=201)
    if lost:
        raise _Refused({wish: KeyInUse(retry_after=1) for wish in wishes if wish.claim in lost})


def _take(purses: Purses, wishes: Sequence[Wish]) -> None:
    refused: dict[Wish, Exception] = {}
    for wish in wishes:
        try:
            purses.take(wish.user_id, wish.cost)
        except InsufficientFunds as short:
            refused[wish] = short
    if refused:
        raise _Refused(refused)


def _order(wish: Wish, now: datetime) -> ExchangeOrder:
    return ExchangeOrder(
        uid=wish.uid,
        user_id=wish.user_id,
        currency=wish.terms.currency,
        amount=wish.units,
        unit_price=wish.terms.price,
        price_source=wish.terms.source,
        cost=wish.cost,
        placed_at=now,
    )


def _hold(purses: Purses, wishes: Sequence[Wish]) -> list[int]:
    spends = [Spend(w.reference, w.user_id, w.cost, w.reference) for w in wishes]
    keys = holds_place(purses=purses, spends=spends)
    return [keys[spend.reference] for spend in spends]


_ORDER: Final = (
    *("uid", "user_id", "currency_id", "amount", "unit_price", "price_source", "cost", "status"),
    *("batch_id", "hold_id", "filled", "charged", "placed_at"),
)


def _insert(
    orders: Sequence[ExchangeOrder], batches: Sequence[ExchangeBatch], hold_ids: Sequence[int]
) -> None:
    for order, batch, hold_id in zip(orders, batches, hold_ids, strict=True):
        order.batch, order.hold_id = batch, hold_id
        if batch.state == BatchState.SEALED:
            order.status = OrderStatus.SETTLING
    values = [[getattr(order, name) for name in _ORDER] for order in orders]
    keys = rows.insert_keyed(ExchangeOrder, _ORDER, values, by="uid")
    for order in orders:
        order.pk, order._state.adding = keys[order.uid], False


def _settle(
    wishes: Sequence[Wish], batches: Sequence[ExchangeBatch], now: datetime
) -> dict[Wish, OutboxMessage]:
    """Have each sealed batch settled, by the request of the order that was the last of it."""
    last = dict(zip(batches, wishes, strict=True))
    return {
        wish: pool.settle_unsent(batch, request_id=wish.request_id, now=now)
        for batch, wish in last.items()
        if batch.state == BatchState.SEALED
    }


# With one, a wallet that somebody holds for long would keep everybody waiting.
_ALONE: Final = [Together(_carry_out) for _ in range(2)]

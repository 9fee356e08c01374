"""What must hold of the exchange: orders against batches, both against the ledger."""

from collections.abc import Callable, Iterator
from typing import Final

from django.db.models import Q, Sum

from accounts.ledger.models import Hold
from accounts.ledger.rules import HoldStatus, Kind
from accounts.ledger.selectors import house_balances
from common.fields import sums
from payments.exchange import rules
from payments.exchange.models import ExchangeAttempt, ExchangeBatch, ExchangeOrder
from payments.exchange.rules import CASH, AttemptState, BatchState, OrderStatus

WAITS: Final = (OrderStatus.POOLED, OrderStatus.SETTLING)
ENDED: Final = (BatchState.SETTLED, BatchState.FAILED)


def batches_are_sums_of_their_orders() -> Iterator[str]:
    orders = ExchangeOrder.objects.exclude(batch=None)
    units, filled = sums(orders, "batch_id"), sums(orders, "batch_id", column="filled")
    costs = dict(orders.order_by().values_list("batch_id").annotate(n=Sum("cost")))
    for batch in ExchangeBatch.objects.all().iterator():
        mine = (units.get(batch.pk, 0), costs.get(batch.pk, 0))
        if mine != (batch.units, batch.cost):
            yield f"9 batch {batch.pk}: {batch.units} for {batch.cost} cents, its orders {mine}"
        given = filled.get(batch.pk, 0) + batch.house_filled + batch.dust
        if given != batch.filled:
            yield f"9 batch {batch.pk}: {batch.filled} filled, {given} given to somebody"


def orders_are_as_far_as_their_batches() -> Iterator[str]:
    right = (
        Q(batch=None)
        | Q(batch__state=BatchState.OPEN, status=OrderStatus.POOLED)
        | Q(batch__state=BatchState.SEALED, status=OrderStatus.SETTLING)
        | (Q(batch__state=BatchState.DECIDED) & ~Q(status=OrderStatus.POOLED))
        | (Q(batch__state__in=ENDED) & ~Q(status__in=WAITS))
    )
    for order in ExchangeOrder.objects.exclude(right).select_related("batch"):
        state = order.batch and order.batch.state
        yield f"9 order {order.pk}: {order.status} in a batch that is {state}"


def money_is_held_for_orders_that_wait() -> Iterator[str]:
    for order in ExchangeOrder.objects.select_related("hold").iterator():
        hold = order.hold
        if (hold.status, hold.amount, hold.posted) != _money(order):
            yield f"9 order {order.pk}: {order.status}, its money is {hold.status}"
    mine = ExchangeOrder.objects.values("hold")
    for lonely in Hold.objects.filter(reference__startswith="exchange:").exclude(pk__in=mine):
        yield f"9 hold {lonely.pk}: of no exchange order"


def _money(order: ExchangeOrder) -> tuple[str, int, int]:
    """What its hold has to be: status, amount, and what was paid of it."""
    if order.status in WAITS:
        return HoldStatus.PENDING, order.cost, 0
    if order.status == OrderStatus.SETTLED:
        return HoldStatus.POSTED, order.cost, order.charged
    return HoldStatus.VOIDED, order.cost, 0


def coins_and_money_are_in_the_books() -> Iterator[str]:
    """Members' coins, the house's and dust are what was filled; money taken is what was charged."""
    found = house_balances()
    for symbol, expected in _expected().items():
        for kind, units in expected.items():
            posted = found.get((kind, symbol), 0)
            if posted != units:
                yield f"9 house:{kind}:{symbol}: {posted} posted, {units} expected"


def _expected() -> dict[str, dict[str, int]]:
    """Debits less credits, by currency and account. Shares not given yet are in no account."""
    settled = ExchangeOrder.objects.filter(status=OrderStatus.SETTLED)
    charged = settled.aggregate(n=Sum("charged"))["n"] or 0
    found: dict[str, dict[str, int]] = {CASH: {Kind.EXCHANGE_CLEARING: -charged}}
    given = sums(settled, "currency__symbol", column="filled")
    batches = ExchangeBatch.objects.all()
    house = sums(batches, "currency__symbol", column="house_filled")
    dust = sums(batches, "currency__symbol", column="dust")
    for symbol in {*given, *house, *dust}:
        parts = house.get(symbol, 0), dust.get(symbol, 0)
        found[symbol] = {
            Kind.EXCHANGE_CLEARING: given.get(symbol, 0) + sum(parts),
            Kind.INVENTORY: -parts[0],
            Kind.DUST: -parts[1],
        }
    return found


def a_batch_is_filled_by_one_attempt() -> Iterator[str]:
    filled = ExchangeAttempt.objects.filter(state=AttemptState.FILLED)
    units = sums(filled, "batch_id", column="filled")
    counts: dict[int, int] = {}
    for key in filled.values_list("batch_id", flat=True):
        counts[key] = counts.get(key, 0) + 1
    for batch in ExchangeBatch.objects.filter(state__in=[BatchState.DECIDED, *ENDED]).iterator():
        if units.get(batch.pk, 0) != batch.filled or counts.get(batch.pk, 0) > 1:
            yield f"9 batch {batch.pk}: {batch.filled} filled, {units.get(batch.pk, 0)} answered"
    for attempt in ExchangeAttempt.objects.filter(open_for__isnull=False):
        if attempt.batch.state != BatchState.SEALED:
            yield f"9 attempt {attempt.pk}: unanswered, its batch is {attempt.batch.state}"


def enough_is_not_left_waiting() -> Iterator[str]:
    """An open batch is worth less than the minimum: the order that reached it sealed it."""
    for batch in ExchangeBatch.objects.filter(state=BatchState.OPEN).select_related("currency"):
        currency = batch.currency
        if batch.worth >= rules.worth_of_cents(currency.minimum, currency.decimals):
            yield f"9 batch {batch.pk}: worth the minimum, and still open"


CHECKS: Final[tuple[Callable[[], Iterator[str]], ...]] = (
    batches_are_sums_of_their_orders,
    orders_are_as_far_as_their_batches,
    money_is_held_for_orders_that_wait,
    coins_and_money_are_in_the_books,
    a_batch_is_filled_by_one_attempt,
    enough_is_not_left_waiting,
)

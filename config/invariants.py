"""What must hold at every moment, checked over the whole database: shop, payments, outbox.

Each check returns a line for each breach. The numbers are those of `docs/reliability.md`.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from typing import Any, Final

from django.db import connection, transaction
from django.db.models import Case, F, Q, QuerySet, Sum, Value, When
from django.db.models.functions import Coalesce, Now

from common.outbox import selectors as outbox
from config import (
    coin_invariants,
    exchange_invariants,
    flash_invariants,
    ledger_invariants,
    statistics_invariants,
)
from payments.exports.models import Export
from payments.exports.rules import Status as ExportStatus
from payments.intake.models import Payment, PaymentEvent, Refund
from payments.intake.rules import RefundStatus, Status
from shop.inventory.models import Stock, StockHold, StockMovement
from shop.orders.models import Order, OrderLine
from shop.orders.rules import BOUGHT
from shop.orders.rules import Status as OrderStatus

# Two sweeps: an order is expired by the first one after its deadline.
SWEEP: Final = timedelta(seconds=15)

Check = Callable[[], Iterator[str]]


def breaches(checks: Iterable[Check] | None = None) -> list[str]:
    """Every breach, of all or these checks: in one snapshot, where work under way is none."""
    _next_transaction_is_a_snapshot()
    with transaction.atomic():
        return [line for check in (CHECKS if checks is None else checks) for line in check()]


def _next_transaction_is_a_snapshot() -> None:
    # Under READ COMMITTED each statement would see a later state than the one before.
    if connection.vendor == "mysql" and not connection.in_atomic_block:
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")


def on_hand_is_the_sum_of_movements() -> Iterator[str]:
    moved = dict(_sum_by(StockMovement.objects.all(), "stock_id", "delta"))
    for stock in Stock.objects.all():
        if stock.on_hand != moved.get(stock.pk, 0):
            yield f"3 stock {stock.pk}: on hand {stock.on_hand}, moved {moved.get(stock.pk, 0)}"


def held_is_the_sum_of_live_holds() -> Iterator[str]:
    held = dict(_sum_by(StockHold.objects.filter(released_at=None), "stock_id", "quantity"))
    for stock in Stock.objects.all():
        if stock.held != held.get(stock.pk, 0):
            yield f"3 stock {stock.pk}: held {stock.held}, live holds {held.get(stock.pk, 0)}"


def available_is_not_negative() -> Iterator[str]:
    for stock in Stock.objects.filter(on_hand__lt=F("held")):
        yield f"3 stock {stock.pk}: {stock.available} available"


def sold_is_what_paid_orders_hold() -> Iterator[str]:
    kinds = [StockMovement.Kind.SOLD, StockMovement.Kind.RESTOCKED]
    out = dict(_sum_by(StockMovement.objects.filter(kind__in=kinds), "stock_id", "delta"))
    # A flash run's units left the stock with the run, but come back to it like any other.
    sold = Case(When(order__run=None, then=F("quantity")), default=Value(0))
    kept = OrderLine.objects.filter(order__status__in=BOUGHT).values_list("product_id")
    for product_id, units in kept.annotate(n=Sum(sold - F("restocked_quantity"))):
        if -out.pop(product_id, 0) != units:
            yield f"3 product {product_id}: paid orders hold {units} units, another number was sold"
    for product_id, delta in out.items():
        if delta:
            yield f"3 product {product_id}: {-delta} sold in no paid order"


def holds_belong_to_open_orders() -> Iterator[str]:
    live = StockHold.objects.filter(released_at=None)
    for hold in live.exclude(order_line__order__status=OrderStatus.PENDING):
        yield f"5 hold {hold.pk}: live, though its order is not open"
    open_lines = OrderLine.objects.filter(order__status=OrderStatus.PENDING, order__run=None)
    for line in open_lines.filter(Q(hold=None) | Q(hold__released_at__isnull=False)):
        yield f"5 line {line.pk}: its order is open and holds nothing"


def holds_end_with_their_time() -> Iterator[str]:
    late = Order.objects.filter(
        status=OrderStatus.PENDING, deadline_suspended=False, expires_at__lt=Now() - SWEEP
    )
    for order in late:
        yield f"5 order {order.number}: past its deadline and not expired"


def totals_are_sums_of_events() -> Iterator[str]:
    for kind, column in (("captured", "captured"), ("refunded", "refunded")):
        sums: dict[int, int] = {}
        # Added in Python: on SQLite the amounts are text.
        for key, amount in PaymentEvent.objects.filter(kind=kind, amount__gt=0).values_list(
            "payment_id", "amount"
        ):
            sums[key] = sums.get(key, 0) + amount
        for key, total in Payment.objects.values_list("pk", column):
            if total != sums.get(key, 0):
                yield f"4 payment {key}: {column} {total}, events say {sums.get(key, 0)}"


def pending_refunds_are_reserved() -> Iterator[str]:
    pending = Refund.objects.filter(status=RefundStatus.PENDING)
    reserved = dict(_sum_by(pending, "payment_id", "amount"))
    for payment in Payment.objects.filter(Q(refund_pending__gt=0) | Q(pk__in=reserved)):
        if payment.refund_pending != reserved.get(payment.pk, 0):
            yield f"7 payment {payment.pk}: reserved {payment.refund_pending} for refunds"


def refunded_is_within_captured() -> Iterator[str]:
    for payment in Payment.objects.filter(captured__lt=F("refunded") + F("refund_pending")):
        yield f"7 payment {payment.pk}: refunded more than captured"


def money_has_bought_something() -> Iterator[str]:
    """Captured money: a paid order, a deposit, a refund, an open review, or a posted loss."""
    idle = Payment.objects.filter(captured__gt=0, order__isnull=False).exclude(
        Q(status__in=[Status.REFUNDED, Status.REVIEW, Status.REVERSED])
        | Q(status=Status.SUCCEEDED, order__status__in=BOUGHT)
    )
    for payment in idle:
        yield f"4 payment {payment.pk}: captured and {payment.status}, its order is not paid"


def paid_orders_have_money() -> Iterator[str]:
    orders = Order.objects.filter(status__in=BOUGHT).annotate(
        money=Coalesce(Sum("payments__captured", filter=Q(payments__status__in=_PAYING)), 0)
    )
    for order in orders.filter(money__lt=F("total")):
        if order.money + _forgiven(order) < order.total:
            yield f"4 order {order.number}: paid, though only {order.money} came in"


def _forgiven(order: Order) -> int:
    """What staff did without when they accepted too little money."""
    events = PaymentEvent.objects.filter(payment__order=order, kind="forgiven")
    return sum(events.values_list("amount", flat=True))


_PAYING: Final = [Status.SUCCEEDED, Status.REFUNDED, Status.REVIEW, Status.REVERSED]


def at_most_one_open_payment() -> Iterator[str]:
    """`open_for` is set exactly while a payment of an order is open."""
    is_open = Q(status__in=[Status.AWAITING, Status.PROCESSING])
    wrong = Q(open_for=None) & is_open | Q(open_for__isnull=False) & ~is_open
    for payment in Payment.objects.filter(wrong, order__isnull=False):
        yield f"4 payment {payment.pk}: {payment.status}, open for {payment.open_for}"


def nothing_is_overdue() -> Iterator[str]:
    for message in outbox.overdue():
        yield f"8 outbox {message.pk} ({message.task}): over 60 s late"


def whole_exports_have_their_pieces() -> Iterator[str]:
    done = Export.objects.filter(status=ExportStatus.DONE, expires_at__gt=Now())
    for export in done.annotate(n=Coalesce(Sum("parts__rows"), 0), b=Sum("parts__size")):
        if (export.n, export.b) != (export.rows_done, export.size):
            yield f"10 export {export.uid}: {export.n} of {export.rows_done} rows are kept"


def _sum_by(rows: QuerySet[Any], key: str, column: str) -> Iterator[tuple[int, int]]:
    grouped = rows.values_list(key).annotate(n=Sum(column))
    return iter(grouped.order_by(key))


CHECKS: Final[tuple[Check, ...]] = (
    on_hand_is_the_sum_of_movements,
    held_is_the_sum_of_live_holds,
    available_is_not_negative,
    sold_is_what_paid_orders_hold,
    holds_belong_to_open_orders,
    holds_end_with_their_time,
    totals_are_sums_of_events,
    pending_refunds_are_reserved,
    refunded_is_within_captured,
    money_has_bought_something,
    paid_orders_have_money,
    at_most_one_open_payment,
    nothing_is_overdue,
    whole_exports_have_their_pieces,
    *flash_invariants.CHECKS,
    *ledger_invariants.CHECKS,
    *coin_invariants.CHECKS,
    *exchange_invariants.CHECKS,
    *statistics_invariants.CHECKS,
)

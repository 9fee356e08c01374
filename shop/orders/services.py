"""The life of an order: placed, paid, cancelled, expired, refunded, fulfilled.

All but those of new orders take an order that the caller has locked (`locks.order`), in the
caller's transaction: what happens to the order and to its payment commits together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db.models import F, Subquery
from django.db.models.functions import Now

from common import clock, rows
from common.audit.services import record
from common.db import transactional
from common.errors import InvalidTransition
from common.idempotency.services import bind
from shop.catalogue.selectors import PricedProduct, priced_products
from shop.flash_sales import services as flash_sales
from shop.inventory import services as inventory
from shop.inventory.services import Units
from shop.orders import locks, rules, selectors
from shop.orders.errors import PriceChanged, TotalTooLarge, UnknownProducts
from shop.orders.models import Order, OrderEvent, OrderLine, PastPurchases
from shop.orders.rules import MAX_TOTAL, Fulfilment, LineShare, Status, Sums

CURRENCY: Final = "USD"


@dataclass(frozen=True, slots=True)
class Demand:
    """Some units of a product at a unit price in minor units."""

    product: PricedProduct
    quantity: int


def baskets_price(
    baskets: Sequence[tuple[Mapping[str, int], int | None]],
) -> list[list[Demand]]:
    """Each basket's `{slug: quantity}` at today's prices, beside the total that its buyer expects.

    Raises UnknownProducts, PriceChanged, TotalTooLarge.
    """
    products = priced_products({slug for wanted, _ in baskets for slug in wanted}, member=True)
    return [_priced(products, *basket) for basket in baskets]


def _priced(
    products: Mapping[str, PricedProduct], quantities: Mapping[str, int], expected: int | None
) -> list[Demand]:
    if unknown := [slug for slug in quantities if slug not in products]:
        raise UnknownProducts(unknown)
    demands = [Demand(products[slug], count) for slug, count in quantities.items()]
    total = _total(demands)
    if expected is not None and expected != total:
        raise PriceChanged(expected, total, CURRENCY)
    return demands


@dataclass(frozen=True, slots=True)
class NewOrder:
    """What one customer orders; of a flash run, its product."""

    number: str
    user_id: int
    demands: Sequence[Demand]


def orders_create(
    *,
    wanted: Sequence[NewOrder],
    now: datetime,
    hold_seconds: int,
    paid: bool,
    run_id: int | None = None,
) -> list[Order]:
    """Write orders with their lines and history, in one statement a table; takes no stock yet.

    `paid` ones are paid in this transaction: they are written as `order_mark_paid` leaves them.
    Raises TotalTooLarge.
    """
    expires_at, paid_at = now + timedelta(seconds=hold_seconds), now if paid else None
    status = Status.PAID if paid else Status.PENDING
    orders = [
        Order(
            number=one.number,
            user_id=one.user_id,
            run_id=run_id,
            status=status,
            currency=CURRENCY,
            total=_total(one.demands),
            placed_at=now,
            expires_at=expires_at,
            paid_at=paid_at,
        )
        for one in wanted
    ]
    _insert_orders(orders)
    _insert_lines(orders, [one.demands for one in wanted])
    history = [("", Status.PENDING), (Status.PENDING, Status.PAID)][: 2 if paid else 1]
    rows.insert(
        OrderEvent,
        ("order_id", "field", "old", "new", "reason"),
        [(order.pk, "status", old, new, "") for order in orders for old, new in history],
    )
    return orders


_ORDER: Final = (
    *("number", "user_id", "status", "fulfilment", "currency", "total", "refunded"),
    *("placed_at", "expires_at", "run_id", "deadline_suspended", "paid_at"),
)


def _insert_orders(orders: Sequence[Order]) -> None:
    values = [[getattr(order, name) for name in _ORDER] for order in orders]
    keys = rows.insert_keyed(Order, _ORDER, values, by="number")
    for order in orders:
        order.pk, order._state.adding = keys[order.number], False


_LINE: Final = (
    *("order_id", "product_id", "user_id", "sku", "name", "unit_price", "quantity", "total"),
    *("refunded", "refunded_quantity", "restocked_quantity", "purchased_at"),
)


def _insert_lines(orders: Sequence[Order], baskets: Sequence[Sequence[Demand]]) -> None:
    lines = [
        (
            *(order.pk, one.product.id, order.user_id, one.product.sku, one.product.name),
            *(one.product.price, one.quantity, one.product.price * one.quantity),
            *(0, 0, 0, order.paid_at),
        )
        for order, demands in zip(orders, baskets, strict=True)
        for one in demands
    ]
    rows.insert(OrderLine, _LINE, lines)


def total_of(demand: Demand) -> int:
    """What an order of it costs. Raises TotalTooLarge."""
    return _total([demand])


def _total(demands: Sequence[Demand]) -> int:
    total = sum(demand.product.price * demand.quantity for demand in demands)
    if total > MAX_TOTAL:
        raise TotalTooLarge
    return total


def orders_take_stock(orders: Sequence[Order], *, paid: bool) -> None:
    """Take new orders' units, to hold or to sell: late, so that hot rows are locked briefly.

    Raises OutOfStock.
    """
    lines = OrderLine.objects.filter(order__in=orders).order_by("pk")
    units = [Units(*line) for line in lines.values_list("product_id", "pk", "quantity")]
    if paid:
        inventory.units_sell(units)
    else:
        inventory.units_hold(units)


def order_mark_paid(order: Order, *, reason: str = "") -> None:
    """Held units become sold ones. A gone order takes its stock again first.

    Raises InvalidTransition where it is paid already, OutOfStock where the stock is gone.
    """
    was = order.status
    _move(order, Status.PAID, reason=reason)
    if was != Status.PENDING:
        _renew(order)
    _sell(order)
    Order.objects.filter(pk=order.pk).update(paid_at=Now(), deadline_suspended=False)
    # The same moment: figures by order and by product must not differ at the turn of an hour.
    paid_at = Order.objects.filter(pk=order.pk).values("paid_at")
    OrderLine.objects.filter(order=order).update(purchased_at=Subquery(paid_at))


def order_cancel(order: Order, *, actor_id: int | None, reason: str = "") -> None:
    """Give the stock back. Raises InvalidTransition unless it waits for payment."""
    _move(order, Status.CANCELLED, actor_id=actor_id, reason=reason)
    _release(order)


def order_expire(order: Order) -> bool:
    """Give the stock back if the deadline has passed and no payment is being decided."""
    due = order.status == Status.PENDING and not order.deadline_suspended
    if not due or order.expires_at > clock.now():
        return False
    _move(order, Status.EXPIRED)
    _release(order)
    return True


def _release(order: Order) -> None:
    """Held units go back to where they are from: the product's stock, or the flash run."""
    if order.run_id is None:
        inventory.holds_release(order_id=order.pk)
    else:
        flash_sales.units_release(order_id=order.pk, run_id=order.run_id)


def _sell(order: Order) -> None:
    if order.run_id is None:
        inventory.holds_sell(order_id=order.pk)
    else:
        flash_sales.units_sell(order_id=order.pk)


def _renew(order: Order) -> None:
    """Take a gone order's units again. Raises OutOfStock."""
    if order.run_id is None:
        inventory.holds_renew(order_id=order.pk)
    else:
        flash_sales.units_renew(order_id=order.pk, run_id=order.run_id)


def order_suspend_deadline(order: Order, *, suspended: bool) -> None:
    """Keep an order from expiring while its payment is being decided."""
    order.deadline_suspended = suspended
    order.save(update_fields=["deadline_suspended"])


def order_refund(
    order: Order,
    shares: Sequence[LineShare],
    *,
    restock: bool,
    actor_id: int | None,
    reason: str,
) -> None:
    """Write down money given back, line by line, and put the units back where asked."""
    past_void(order)
    refunded = order.refunded + sum(share.amount for share in shares)
    _move(
        order,
        rules.status_after_refund(order.total, refunded),
        actor_id=actor_id,
        reason=reason,
    )
    order.refunded = refunded
    order.save(update_fields=["refunded"])
    for share in shares:
        _refund_line(share, restock)
    if restock:
        inventory.stock_restock(_returned(shares), reason=reason, actor_id=actor_id)


def _refund_line(share: LineShare, restock: bool) -> None:
    OrderLine.objects.filter(pk=share.line_id).update(
        refunded=F("refunded") + share.amount,
        refunded_quantity=F("refunded_quantity") + share.quantity,
        restocked_quantity=F("restocked_quantity") + (share.quantity if restock else 0),
    )


def _returned(shares: Sequence[LineShare]) -> list[Units]:
    quantities = {share.line_id: share.quantity for share in shares if share.quantity}
    lines = OrderLine.objects.filter(pk__in=quantities)
    return [Units(line.product_id, line.pk, quantities[line.pk]) for line in lines]


@transactional
def order_fulfil(*, order_id: int, actor_id: int) -> Order:
    """Mark a paid order as delivered. Raises InvalidTransition."""
    order = locks.order(order_id)
    bind(order.number, status=200)
    deliverable = order.status in (Status.PAID, Status.PARTIALLY_REFUNDED)
    if not deliverable or order.fulfilment == Fulfilment.DONE:
        current = order.fulfilment if deliverable else order.status
        raise InvalidTransition("order", current, Fulfilment.DONE)
    _record(order, "fulfilment", order.fulfilment, Fulfilment.DONE, actor_id)
    record(actor_id=actor_id, action="order.fulfil", target=f"order:{order.number}")
    order.fulfilment = Fulfilment.DONE
    order.fulfilled_at = clock.now()
    order.save(update_fields=["fulfilment", "fulfilled_at"])
    return order


def _move(order: Order, to: Status, *, actor_id: int | None = None, reason: str = "") -> None:
    if not rules.may_become(order.status, to):
        raise InvalidTransition("order", order.status, to)
    _record(order, "status", order.status, to, actor_id, reason)
    order.status = to
    order.save(update_fields=["status"])


def _record(
    order: Order, field: str, old: str, new: str, actor_id: int | None, reason: str = ""
) -> None:
    OrderEvent.objects.create(
        order=order, field=field, old=old, new=new, actor_id=actor_id, reason=reason[:200]
    )


def past_void(order: Order) -> None:
    """Something of an order or its payments changes: once paid, it may be part of a summed past.

    Before stock and money are locked; what is summed is not looked at until it is counted again.
    """
    if order.paid_at is not None:
        locks.past(order.user_id)
        PastPurchases.objects.filter(pk=order.user_id).update(until=None)


def past_write(past: PastPurchases, *, until: datetime, methods: Mapping[str, Sums]) -> None:
    """Sum up what the customer of this locked row has bought, beside how it was paid."""
    lines = selectors.lines_bought(past.user_id, until=until)
    past.products = {pk: one.as_json() for pk, one in selectors.products_bought(lines).items()}
    past.months = selectors.months_bought(lines)
    past.until, past.methods = until, dict(methods)
    past.save()

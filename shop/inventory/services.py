"""Stock in and out: hold, release, sell, restock, adjust.

Rows are always taken in primary-key order, so that two orders of the same products in opposite
order wait for each other instead of deadlocking. The conditional UPDATE both locks and decides.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from django.db.models import F
from django.db.models.functions import Now

from common import context, rows, shelf
from common.audit.services import Act, record, record_many
from common.db import after_commit, transactional
from common.idempotency.services import bind
from shop.inventory import locks, selectors
from shop.inventory.errors import OutOfStock, Shortage, StockBelowHeld
from shop.inventory.models import Stock, StockHold, StockMovement

Kind = StockMovement.Kind
_AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True)
class Units:
    """A quantity of one product on one order line."""

    product_id: int
    line_id: int
    quantity: int


def stock_open(*, product_id: int) -> None:
    """Give a new product its stock row, empty."""
    Stock.objects.create(product_id=product_id)


def stocks_open(*, product_ids: Sequence[int]) -> None:
    for start in range(0, len(product_ids), _AT_ONCE):
        opened = [(pk, 0, 0) for pk in product_ids[start : start + _AT_ONCE]]
        rows.insert(Stock, ("product_id", "on_hand", "held"), opened)


def units_hold(units: Sequence[Units]) -> None:
    """Promise new order lines their units, all or nothing. Raises OutOfStock."""
    stock_take(wanted=_by_product(units))
    held = [(one.product_id, one.line_id, one.quantity, "") for one in units]
    rows.insert(StockHold, ("stock_id", "order_line_id", "quantity", "outcome"), held)


def units_sell(units: Sequence[Units]) -> None:
    """Sell new order lines their units at once, all or nothing: nothing is held in between.

    Raises OutOfStock.
    """
    stock_take(wanted=_by_product(units), sold=True)
    columns = ("stock_id", "kind", "delta", "reason", "order_line_id")
    sold = [(one.product_id, Kind.SOLD.value, -one.quantity, "", one.line_id) for one in units]
    rows.insert(StockMovement, columns, sold)


def _by_product(units: Iterable[Units]) -> dict[int, int]:
    summed: dict[int, int] = {}
    for one in units:
        summed[one.product_id] = summed.get(one.product_id, 0) + one.quantity
    return summed


def stock_take(*, wanted: Mapping[int, int], sold: bool = False) -> None:
    """Promise `{product id: quantity}`, all or nothing; the caller's transaction makes it so.

    `sold`: they leave the shelf. Raises OutOfStock with every short product, not only the first.
    """
    short = [pk for pk in sorted(wanted) if not _take(pk, wanted[pk], sold=sold)]
    if short:
        raise OutOfStock(_shortages({pk: wanted[pk] for pk in short}))
    after_commit(shelf.forget)


def _take(product_id: int, quantity: int, *, sold: bool = False) -> bool:
    """Units that nobody is promised, to hold or off the shelf; False where there are too few."""
    # The condition is what makes an extra unit impossible; a read before it would be stale.
    enough = Stock.objects.filter(pk=product_id, on_hand__gte=F("held") + quantity)
    if sold:
        return enough.update(on_hand=F("on_hand") - quantity) == 1
    return enough.update(held=F("held") + quantity) == 1


def _shortages(wanted: Mapping[int, int]) -> dict[int, Shortage]:
    rows = Stock.objects.filter(pk__in=wanted).select_related("product").order_by("pk")
    return {r.pk: Shortage(r.product.slug, wanted[r.pk], r.available) for r in rows}


def holds_release(*, order_id: int) -> None:
    """Give an order's live holds back; a second call finds none and gives nothing."""
    after_commit(shelf.forget)
    for hold in _end_holds(order_id, StockHold.Outcome.RELEASED):
        Stock.objects.filter(pk=hold.stock_id).update(held=F("held") - hold.quantity)


def holds_sell(*, order_id: int) -> None:
    """Turn an order's live holds into sold units."""
    holds = _end_holds(order_id, StockHold.Outcome.SOLD)
    for hold in holds:
        Stock.objects.filter(pk=hold.stock_id).update(
            held=F("held") - hold.quantity, on_hand=F("on_hand") - hold.quantity
        )
    StockMovement.objects.bulk_create(
        StockMovement(
            stock_id=h.stock_id,
            kind=Kind.SOLD,
            delta=-h.quantity,
            order_line_id=h.order_line_id,
        )
        for h in holds
    )


def _end_holds(order_id: int, outcome: StockHold.Outcome) -> list[StockHold]:
    holds = locks.live_holds(order_id)
    StockHold.objects.filter(pk__in=[h.pk for h in holds]).update(
        released_at=Now(), outcome=outcome
    )
    return holds


def holds_renew(*, order_id: int) -> None:
    """Take a gone order's units again, for money that came late. Raises OutOfStock."""
    holds = locks.ended_holds(order_id)
    stock_take(wanted={h.stock_id: h.quantity for h in holds})
    StockHold.objects.filter(pk__in=[h.pk for h in holds]).update(released_at=None, outcome="")


def stock_restock(units: Iterable[Units], *, reason: str, actor_id: int | None) -> None:
    """Put returned units back on the shelf."""
    after_commit(shelf.forget)
    for unit in sorted(units, key=lambda u: u.product_id):
        Stock.objects.filter(pk=unit.product_id).update(on_hand=F("on_hand") + unit.quantity)
        StockMovement.objects.create(
            stock_id=unit.product_id,
            kind=Kind.RESTOCKED,
            delta=unit.quantity,
            order_line_id=unit.line_id,
            reason=reason,
            actor_id=actor_id,
        )


def stock_to_run(*, product_id: int, quantity: int, reason: str) -> None:
    """Take units off the shelf for a flash run. Raises OutOfStock."""
    after_commit(shelf.forget)
    if not _take(product_id, quantity, sold=True):
        raise OutOfStock(_shortages({product_id: quantity}))
    StockMovement.objects.create(
        stock_id=product_id, kind=Kind.TO_RUN, delta=-quantity, reason=reason
    )


def stock_from_run(*, product_id: int, quantity: int, reason: str) -> None:
    """Put a flash run's unsold units back on the shelf."""
    after_commit(shelf.forget)
    Stock.objects.filter(pk=product_id).update(on_hand=F("on_hand") + quantity)
    StockMovement.objects.create(
        stock_id=product_id, kind=Kind.FROM_RUN, delta=quantity, reason=reason
    )


@transactional
def stock_adjust(
    *,
    product_id: int,
    delta: int | None = None,
    to: int | None = None,
    reason: str,
    actor_id: int | None,
) -> StockMovement | None:
    """Change what is on hand by `delta`, or set it `to` a counted number.

    Returns the movement, or None where the count agrees already. Raises StockBelowHeld where open
    orders would lose units they were promised.
    """
    stock = locks.stock(product_id)
    change = delta if delta is not None else (to or 0) - stock.on_hand
    if stock.on_hand + change < stock.held:
        raise StockBelowHeld(held=stock.held, on_hand=stock.on_hand)
    if change == 0:
        bind(f"stock:{product_id}", status=200)
        return None
    movement = StockMovement.objects.create(
        stock=stock,
        kind=Kind.RECEIVED if delta is not None and delta > 0 else Kind.ADJUSTED,
        delta=change,
        reason=reason,
        actor_id=actor_id,
    )
    bind(f"movement:{movement.pk}", status=201)
    record(
        actor_id=actor_id,
        action="stock.adjust",
        target=f"product:{stock.product.slug}",
        data={"delta": change, "reason": reason},
    )
    Stock.objects.filter(pk=stock.pk).update(on_hand=F("on_hand") + change)
    after_commit(shelf.forget)
    return movement


@dataclass(frozen=True, slots=True)
class Adjustment:
    """Like `stock_adjust`: a change by `delta`, or `to` a counted number."""

    slug: str
    delta: int | None = None
    to: int | None = None

    def change(self, on_hand: int) -> int:
        return self.delta if self.delta is not None else (self.to or 0) - on_hand


@dataclass(frozen=True, slots=True)
class Adjusted:
    """Units on hand before and after, by product; `short` would fall below what is held."""

    changed: dict[int, tuple[int, int]]
    short: dict[int, StockBelowHeld]


@transactional
def stocks_adjust(
    *, wanted: Mapping[int, Adjustment], reason: str, actor_id: int | None
) -> Adjusted:
    """`stock_adjust` of several products by primary key; writes nothing where any is short."""
    found = selectors.stocks(list(wanted))
    # Counts that agree lock nothing, and buyers of those products do not wait.
    moving = [pk for pk, stock in found.items() if wanted[pk].change(stock.on_hand)]
    changed, short = {}, {}
    for stock in locks.stocks(moving):
        after = stock.on_hand + wanted[stock.pk].change(stock.on_hand)
        if after < stock.held:
            short[stock.pk] = StockBelowHeld(held=stock.held, on_hand=stock.on_hand)
        elif after != stock.on_hand:
            changed[stock.pk] = (stock.on_hand, after)
    if not short:
        _write_counts(wanted, changed, reason, actor_id)
    return Adjusted(changed, short)


def _write_counts(
    wanted: Mapping[int, Adjustment],
    changed: Mapping[int, tuple[int, int]],
    reason: str,
    actor_id: int | None,
) -> None:
    made = []
    for pk, (before, after) in changed.items():
        received = wanted[pk].delta is not None and after > before
        kind = Kind.RECEIVED if received else Kind.ADJUSTED
        made.append((pk, kind.value, after - before, reason, actor_id))
    columns = ("stock_id", "kind", "delta", "reason", "actor_id")
    for start in range(0, len(made), _AT_ONCE):
        part = made[start : start + _AT_ONCE]
        rows.insert(StockMovement, columns, part)
        rows.change(Stock, {"on_hand": {pk: changed[pk][1] for pk, *_ in part}})
    request_id = context.request_id.get()
    record_many(
        [
            Act(
                "stock.adjust",
                f"product:{wanted[pk].slug}",
                {"delta": after - before, "reason": reason},
                request_id,
                actor_id,
            )
            for pk, (before, after) in changed.items()
        ]
    )
    after_commit(shelf.forget)

"""A buyer's units: taken, sold, given back, taken again.

Each runs in the caller's transaction, which has locked the order.
"""

from typing import Final

from django.db import IntegrityError, transaction
from django.db.models import Case, Value, When
from django.db.models.functions import Now

from common import clock
from shop.flash_sales import locks, rules, selectors
from shop.flash_sales.errors import SaleEnded, SaleNotStarted, SoldOut, UserLimitReached
from shop.flash_sales.live.publisher import changed
from shop.flash_sales.models import FlashPurchase, FlashRun, FlashUnit
from shop.flash_sales.rules import PurchaseState, UnitState
from shop.flash_sales.services.gate import units_are_free
from shop.inventory import services as inventory
from shop.inventory.errors import OutOfStock, Shortage

# Each further try finds the slots that a parallel call of the same user has just taken.
TRIES: Final = 5


def _check_open(run: FlashRun) -> None:
    # In this transaction and by the database's clock: what was read before may be over by now.
    now = clock.now()
    if now < run.starts_at or run.window.is_over(now):
        raise SaleEnded


def _claim(run: FlashRun, purchase: FlashPurchase) -> list[int]:
    for _ in range(TRIES):
        slots = _slots(run, purchase)
        units = locks.free_units(run.pk, purchase.quantity)
        if len(units) < purchase.quantity:
            _check_lasts(run)
            raise SoldOut(wanted=purchase.quantity, left=len(units))
        try:
            with transaction.atomic():
                _hold(units, purchase, slots)
        except IntegrityError:
            continue
        changed(run.pk)
        return [unit.number for unit in units]
    raise _limit_reached(run, purchase.user_id)


def _check_lasts(run: FlashRun) -> None:
    """Raises as if the run had ended where it has, or where all is paid and no sweep came by."""
    _check_open(selectors.run_get(run.pk))
    if selectors.is_all_paid(run.pk):
        selectors.check_next(run.sale)


def _limit_reached(run: FlashRun, user_id: int) -> UserLimitReached:
    limit, used = run.per_user_limit or 0, selectors.used_slots(run.pk, user_id)
    return UserLimitReached(limit=limit, left=rules.units_left(used, limit))


def _slots(run: FlashRun, purchase: FlashPurchase) -> list[int | None]:
    """A slot for each unit, or none where nobody is limited."""
    if run.per_user_limit is None:
        return [None] * purchase.quantity
    used = selectors.used_slots(run.pk, purchase.user_id)
    free = rules.free_slots(used, run.per_user_limit, purchase.quantity)
    if len(free) < purchase.quantity:
        _check_lasts(run)
        raise UserLimitReached(limit=run.per_user_limit, left=len(free))
    return [*free]


def _hold(units: list[FlashUnit], purchase: FlashPurchase, slots: list[int | None]) -> None:
    places = [When(pk=u.pk, then=Value(slot)) for u, slot in zip(units, slots, strict=True)]
    # The condition makes it impossible to hold a unit twice, whatever was locked before.
    free = FlashUnit.objects.filter(pk__in=[u.pk for u in units], state=UnitState.FREE)
    held = free.update(
        state=UnitState.HELD,
        purchase=purchase,
        user_id=purchase.user_id,
        slot=Case(*places) if slots[0] is not None else None,
    )
    if held != len(units):
        raise SoldOut(wanted=len(units), left=held)


def units_sell(*, order_id: int) -> None:
    """The order is paid: its units are sold."""
    purchase = locks.purchase(order_id)
    FlashUnit.objects.filter(pk__in=_keys(purchase)).update(state=UnitState.SOLD)
    FlashPurchase.objects.filter(pk=purchase.pk).update(state=PurchaseState.PAID, paid_at=Now())
    changed(purchase.run_id)


def units_release(*, order_id: int, run_id: int) -> None:
    """Give an unpaid order's units back to its run; to the product's stock, if that has ended."""
    run = locks.run_shared(run_id)
    purchase = locks.purchase(order_id)
    units = locks.units_of(purchase.pk)
    keys = [unit.pk for unit in units]
    state = UnitState.FREE if run.ended_at is None else UnitState.RETURNED
    FlashUnit.objects.filter(pk__in=keys).update(
        state=state, purchase=None, user_id=None, slot=None
    )
    FlashPurchase.objects.filter(pk=purchase.pk).update(state=PurchaseState.RELEASED)
    changed(run_id)
    if state == UnitState.FREE:
        units_are_free(run_id, units)
    else:
        inventory.stock_from_run(
            product_id=run.sale.product_id, quantity=len(keys), reason=str(run)
        )


def _keys(purchase: FlashPurchase) -> list[int]:
    return [unit.pk for unit in locks.units_of(purchase.pk)]


def units_renew(*, order_id: int, run_id: int) -> None:
    """Take a gone order's units again, of the same run and of no other, for money that came late.

    Raises OutOfStock where the run is over, sold out, or its buyer has others by now.
    """
    run = selectors.run_get(run_id)
    purchase = locks.purchase(order_id)
    try:
        _check_open(run)
        _claim(run, purchase)
    except (SaleEnded, SaleNotStarted, SoldOut, UserLimitReached) as gone:
        product = run.sale.product
        raise OutOfStock({product.pk: Shortage(product.slug, purchase.quantity, 0)}) from gone
    FlashPurchase.objects.filter(pk=purchase.pk).update(state=PurchaseState.HELD)

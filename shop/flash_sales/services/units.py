"""A buyer's units: sold, given back, taken again.

Each runs in the caller's transaction, which has locked the order.
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from django.db import IntegrityError, transaction
from django.db.models import Case, Value, When
from django.db.models.functions import Now

from common import clock
from shop.flash_sales import locks, rules, selectors
from shop.flash_sales.live.publisher import changed
from shop.flash_sales.models import FlashPurchase, FlashRun, FlashUnit
from shop.flash_sales.rules import PurchaseState, UnitState
from shop.flash_sales.services.gate import units_are_free
from shop.flash_sales.services.many import UnitsTaken
from shop.flash_sales.services.tally import tally
from shop.inventory import services as inventory
from shop.inventory.errors import OutOfStock, Shortage

# Each further try finds the slots that a parallel call of the same user has just taken.
TRIES: Final = 5


def _claim(run: FlashRun, purchase: FlashPurchase) -> bool:
    """False where there are too few units, or the buyer has others by now."""
    for _ in range(TRIES):
        used = selectors.slots_by_user(run.pk, [purchase.user_id]).get(purchase.user_id, set())
        slots = rules.slots(used, run.per_user_limit, purchase.quantity)
        units = locks.free_units(run.pk, purchase.quantity)
        if min(len(slots), len(units)) < purchase.quantity:
            return False
        with suppress(IntegrityError), transaction.atomic():
            _hold(units, purchase, slots)
            tally(run.pk, to=UnitState.HELD, count=len(units))
            changed(run.pk)
            return True
    return False


def _hold(units: list[FlashUnit], purchase: FlashPurchase, slots: Sequence[int | None]) -> None:
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
        raise UnitsTaken


def units_sell(*, order_id: int) -> None:
    """The order is paid: its units are sold."""
    purchase = locks.purchase(order_id)
    units = locks.units_of(purchase.pk)
    FlashUnit.objects.filter(pk__in=[unit.pk for unit in units]).update(state=UnitState.SOLD)
    were = [unit.state for unit in units]
    tally(purchase.run_id, to=UnitState.SOLD, count=len(units), were=were)
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
    tally(run_id, to=state, count=len(units), were=[unit.state for unit in units])
    FlashPurchase.objects.filter(pk=purchase.pk).update(state=PurchaseState.RELEASED)
    changed(run_id)
    if state == UnitState.FREE:
        units_are_free(run_id, purchase.user_id, units)
    else:
        inventory.stock_from_run(
            product_id=run.sale.product_id, quantity=len(keys), reason=str(run)
        )


def units_renew(*, order_id: int, run_id: int) -> None:
    """Take a gone order's units again, of the same run and of no other, for money that came late.

    Raises OutOfStock where the run is over, sold out, or its buyer has others by now.
    """
    run = selectors.run_get(run_id)
    purchase = locks.purchase(order_id)
    if not (run.window.is_open(clock.now()) and _claim(run, purchase)):
        product = run.sale.product
        raise OutOfStock({product.pk: Shortage(product.slug, purchase.quantity, 0)})
    FlashPurchase.objects.filter(pk=purchase.pk).update(state=PurchaseState.HELD)

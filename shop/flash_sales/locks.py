"""The only place that locks rows of flash sales: sale → run → purchase → units → stock.

Buyers, and who gives units back, share the run's row with each other, and have it before whoever
ends the run, or after. Nobody writes it while it sells: its units decide.
"""

from django.db import connection
from django.db.models.functions import Now

from shop.flash_sales.models import FlashPurchase, FlashRun, FlashSale, FlashTally, FlashUnit
from shop.flash_sales.rules import SETTLING, UnitState


def sale(pk: int) -> FlashSale:
    """The sale's row: its runs are planned one after the other."""
    return FlashSale.objects.select_for_update().get(pk=pk)


def run(pk: int) -> FlashRun:
    """The run's row alone, to end it or to change its terms."""
    return FlashRun.objects.select_for_update().get(pk=pk)


def run_shared(pk: int) -> FlashRun:
    """The run's row together with others: it cannot end before the caller's commit."""
    table, share = FlashRun._meta.db_table, " FOR SHARE" if connection.vendor == "mysql" else ""
    [found] = FlashRun.objects.raw(f"SELECT * FROM {table} WHERE id = %s{share}", [pk])  # noqa: S608  # nosec B608  # the table's name is our own
    return found


def free_units(run_id: int, quantity: int) -> list[FlashUnit]:
    """At most `quantity` free units that nobody else is about to take.

    Units another buyer has his hand on are left out at first; only where they would be needed does
    the caller wait for him, who may still be refused.
    """
    free = FlashUnit.objects.filter(run_id=run_id, state=UnitState.FREE).order_by("number")
    found = list(free.select_for_update(skip_locked=True)[:quantity])
    return found if len(found) == quantity else list(free.select_for_update()[:quantity])


def purchase(order_id: int) -> FlashPurchase:
    return FlashPurchase.objects.select_for_update().get(order_id=order_id)


def units_of(purchase_id: int) -> list[FlashUnit]:
    """A purchase's units; a list, because callers change what they were found by."""
    units = FlashUnit.objects.select_for_update().filter(purchase_id=purchase_id)
    return list(units.order_by("number"))


def tallies(run_id: int) -> list[FlashTally]:
    """Those that nobody is writing or merging at this moment: others wait for no merge, nor it."""
    return list(FlashTally.objects.select_for_update(skip_locked=True).filter(run_id=run_id))


def unplaced_purchases(run_id: int) -> list[FlashPurchase]:
    """Paid purchases without a position, by the moment of payment; those of a moment ago wait.

    Locked, so that whoever gives positions next reads the last one after it was given.
    """
    paid = FlashPurchase.objects.select_for_update().filter(
        run_id=run_id, position=None, paid_at__lte=Now() - SETTLING
    )
    return list(paid.order_by("paid_at", "pk")[:500])

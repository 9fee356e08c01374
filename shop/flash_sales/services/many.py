"""Units of several buyers of one run, chosen and written together.

Runs in the caller's transaction. `units_choose` locks and decides, and writes nothing, so that a
buyer who is refused leaves no trace beside those who are not.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from django.db import IntegrityError

from common import clock, rows
from common.errors import SoukError
from shop.flash_sales import locks, rules, selectors
from shop.flash_sales.errors import OrderLimitExceeded, SaleEnded, SoldOut, UserLimitReached
from shop.flash_sales.live.publisher import changed
from shop.flash_sales.models import FlashPurchase, FlashRun, FlashUnit
from shop.flash_sales.rules import PurchaseState, UnitState
from shop.flash_sales.services.tally import tally
from shop.flash_sales.store import Unit


@dataclass(frozen=True, slots=True)
class Wanted:
    """So many units of a run for a customer."""

    user_id: int
    quantity: int


@dataclass(frozen=True, slots=True)
class Chosen:
    """Units set aside for a customer, by primary key and by serial number, each with its slot."""

    user_id: int
    keys: tuple[int, ...] = ()
    numbers: tuple[int, ...] = ()
    slots: tuple[int | None, ...] = ()


class UnitsTaken(IntegrityError):
    """A unit that was chosen is another buyer's by now."""


@dataclass(frozen=True, slots=True)
class OpenRun:
    """A run that cannot end before the caller's commit, and the moment at which it was open."""

    run: FlashRun
    now: datetime


def run_enter(run_id: int) -> OpenRun:
    """The run, shared with other buyers. Raises SaleEnded, SaleNotStarted where it was put off.

    Who ends it waits for the commit: the buyer's foreign keys would lock it later, after units.
    """
    found, run = selectors.run_get(run_id), locks.run_shared(run_id)
    run.sale = found.sale
    now = clock.now()
    if now < run.starts_at:
        selectors.check_next(run.sale, now)
    if not run.window.is_open(now):
        raise SaleEnded
    return OpenRun(run, now)


def units_choose(
    run: FlashRun, wanted: Sequence[Wanted], handed: Sequence[Unit] | None = None
) -> list[Chosen | SoukError]:
    """Units for each, or why there are none: OrderLimitExceeded, UserLimitReached, SoldOut.

    `handed` are those of the gate, if it was asked; else they are searched and locked.
    """
    found = _with_slots(run, wanted)
    served = (w for w, f in zip(wanted, found, strict=True) if isinstance(f, Chosen))
    units = list(handed) if handed is not None else _search(run, sum(w.quantity for w in served))
    return [
        _with_units(run, each, one.quantity, units) if isinstance(each, Chosen) else each
        for one, each in zip(wanted, found, strict=True)
    ]


def _search(run: FlashRun, quantity: int) -> list[Unit]:
    return [(unit.pk, unit.number) for unit in locks.free_units(run.pk, quantity)]


def _with_slots(run: FlashRun, wanted: Sequence[Wanted]) -> list[Chosen | SoukError]:
    used = selectors.slots_by_user(run.pk, [one.user_id for one in wanted])
    found: list[Chosen | SoukError] = []
    for one in wanted:
        mine = used.setdefault(one.user_id, set())
        try:
            slots = _slots(run, one, mine)
        except SoukError as refusal:
            found.append(refusal)
        else:
            mine |= {slot for slot in slots if slot is not None}
            found.append(Chosen(one.user_id, slots=slots))
    return found


def _slots(run: FlashRun, one: Wanted, used: set[int]) -> tuple[int | None, ...]:
    """A slot for each unit, or none where nobody is limited."""
    if run.per_order_limit is not None and one.quantity > run.per_order_limit:
        raise OrderLimitExceeded(run.per_order_limit)
    found = rules.slots(used, run.per_user_limit, one.quantity)
    if run.per_user_limit is not None and len(found) < one.quantity:
        raise _over(run) or UserLimitReached(limit=run.per_user_limit, left=len(found))
    return found


def _over(run: FlashRun) -> SoukError | None:
    """The refusal of a run that is over: all is paid, though no sweep has come by."""
    if selectors.is_all_paid(run.pk):
        try:
            selectors.check_next(run.sale)
        except SoukError as over:
            return over
    return None


def _with_units(run: FlashRun, one: Chosen, quantity: int, units: list[Unit]) -> Chosen | SoukError:
    """The first of `units`, which are no others' then."""
    if len(units) < quantity:
        return _over(run) or SoldOut(wanted=quantity, left=len(units), run_id=run.pk)
    mine = units[:quantity]
    del units[:quantity]
    return replace(
        one, keys=tuple(key for key, _ in mine), numbers=tuple(number for _, number in mine)
    )


_PURCHASE: Final = ("run_id", "order_id", "user_id", "quantity", "state", "paid_at")


def units_write(*, open_run: OpenRun, chosen: Sequence[tuple[int, Chosen]], paid: bool) -> None:
    """Write purchases, each `(order, what was chosen)`, and take their units.

    Raises UnitsTaken, and IntegrityError where a user's slot is taken by now.
    """
    run, moment = open_run.run, open_run.now if paid else None
    state = PurchaseState.PAID if paid else PurchaseState.HELD
    rows.insert(
        FlashPurchase,
        _PURCHASE,
        [(run.pk, order, one.user_id, len(one.keys), state, moment) for order, one in chosen],
    )
    purchases = rows.keys_by(FlashPurchase, "order_id", [order for order, _ in chosen])
    places = [
        (key, purchases[order], one.user_id, slot)
        for order, one in chosen
        for key, slot in zip(one.keys, one.slots, strict=True)
    ]
    taken = UnitState.SOLD if paid else UnitState.HELD
    # The condition makes it impossible to sell a unit twice, whatever was locked before.
    found = rows.change(
        FlashUnit,
        {
            "purchase_id": {key: purchase for key, purchase, _, _ in places},
            "user_id": {key: user for key, _, user, _ in places},
            "slot": {key: slot for key, _, _, slot in places},
            "state": {key: taken for key, _, _, _ in places},
        },
        where=("state", UnitState.FREE),
    )
    if found != len(places):
        raise UnitsTaken(f"{len(places) - found} of {len(places)} units are somebody else's")
    tally(run.pk, to=taken, count=found)
    changed(run.pk)

"""The gate before MySQL: units by one call to Redis, so that buyers do not search for free ones.

It is only a hint. A unit that it hands out twice is refused by the conditional UPDATE, one that it
does not know of is found when it says sold out; either way it is filled anew. Without Redis, and
inside another transaction, units are searched in MySQL.
"""

import logging
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from typing import Final

from django.db import connection

from common.db import after_commit
from shop.flash_sales import selectors, store
from shop.flash_sales.models import FlashUnit
from shop.flash_sales.services.many import Wanted
from shop.flash_sales.store import Gone, Handed, Limit, Unit

logger = logging.getLogger(__name__)

# Calls that the gate of a run had counted when this process last looked; an older copy has fewer.
_SEEN: Final[dict[int, Handed]] = {}
_MOST_SEEN: Final = 1000


def gate_claim(run_id: int, wanted: Sequence[Wanted]) -> Handed | None:
    """Units that nobody else is offered, and who has all he may have; None: ask MySQL."""
    if connection.in_atomic_block:
        return None
    try:
        handed = _claim(run_id, wanted)
        if handed is None and gate_fill(run_id):
            handed = _claim(run_id, wanted)
    except Gone:
        return None
    return handed


def _claim(run_id: int, wanted: Sequence[Wanted]) -> Handed | None:
    """None where Redis has no gate of the run, or has come back with a copy of before."""
    # Read before the call: answers of parallel calls may be looked at in another order.
    seen = _SEEN.get(run_id)
    handed = store.claim(run_id, [(one.user_id, one.quantity) for one in wanted])
    if handed is None or _is_older(seen, handed):
        return None
    if len(_SEEN) > _MOST_SEEN:
        _SEEN.clear()
    _SEEN[run_id] = handed
    return handed


def _is_older(seen: Handed | None, handed: Handed) -> bool:
    """What an older copy hands out was handed out already."""
    older = seen is not None and seen.gen == handed.gen and handed.seq <= seen.seq
    if older:
        logger.warning("flash.gate_is_older")
    return older


def gate_fill(run_id: int) -> bool:
    """Make the gate of what MySQL says is free; False where that is not to be had now."""
    try:
        gen = store.begin_filling(run_id)
        return gen is not None and store.fill(run_id, gen, selectors.free_units(run_id))
    except Gone:
        return False


def gate_settle(run_id: int, *, used: Iterable[Unit], unused: Iterable[Unit]) -> None:
    """After the transaction: what it took, and what it did not need."""
    with suppress(Gone):
        store.settle(run_id, [key for key, _ in used])
        if left := list(unused):
            store.put_back(run_id, left)


def gate_remember(run_id: int, refused: Iterable[tuple[Wanted, Limit]]) -> None:
    """MySQL has refused them: the next calls of the same users need not ask it."""
    with suppress(Gone):
        store.remember(run_id, [(one.user_id, limit, one.quantity) for one, limit in refused])


def gate_correct(run_id: int, handed: Collection[Unit]) -> None:
    """Some of what it handed out was not free: take those out of it, and put the others back.

    Where it was mostly wrong it is an old copy, and filled anew by whoever asks next.
    """
    free = {*selectors.free_units(run_id, [key for key, _ in handed])}
    taken = [unit for unit in handed if unit not in free]
    logger.warning("flash.gate_was_wrong", extra={"units": len(taken)})
    gate_settle(run_id, used=taken, unused=free)
    if len(taken) * 2 > len(handed):
        with suppress(Gone):
            store.forget(run_id)


def units_are_free(run_id: int, user_id: int, units: Iterable[FlashUnit]) -> None:
    """Have a buyer's units sold again at once, when the transaction that frees them commits."""
    pairs = [(unit.pk, unit.number) for unit in units]
    after_commit(_set_free, run_id, user_id, pairs)


def _set_free(run_id: int, user_id: int, units: list[Unit]) -> None:
    with suppress(Gone):
        store.set_free(run_id, user_id, units)


def gate_forget(run_id: int) -> None:
    """The run has other units when the transaction commits: whoever asks next fills the gate."""
    after_commit(_forget, run_id)


def _forget(run_id: int) -> None:
    with suppress(Gone):
        store.forget(run_id)

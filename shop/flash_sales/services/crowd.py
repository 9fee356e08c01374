"""What this process has just told a buyer, for those who ask the same a moment later.

Sold out, or over: thousands ask again and again. A refusal is believed for 50 ms; then one of them
asks MySQL whether it still holds, in one query, and the others are told the old one for at most
50 ms more, or wait for the answer.
"""

import threading
import time
from typing import Final

from django.db import Error

from shop.flash_sales import selectors
from shop.flash_sales.errors import SaleEnded, SoldOut

FRESH_SECONDS: Final = 0.05
STALE_SECONDS: Final = 0.1

Refusal = type[SoldOut] | type[SaleEnded]


class _Known:
    """A refusal, the run that is sold out, and when MySQL was asked (monotonic)."""

    __slots__ = ("at", "refusal", "run_id")

    def __init__(self, refusal: Refusal, run_id: int | None, at: float) -> None:
        self.refusal, self.run_id, self.at = refusal, run_id, at

    @property
    def age(self) -> float:
        return time.monotonic() - self.at


# Of sales that exist, hence not more than there are.
_KNOWN: Final[dict[str, _Known]] = {}
_ASKING: Final = threading.Lock()


def refusal_note(slug: str, error: SoldOut | SaleEnded, *, asked_at: float) -> None:
    """A buyer of this sale was refused; MySQL was asked not before `asked_at` (monotonic).

    What is left for somebody who wants fewer is no reason to send him away.
    """
    if isinstance(error, SaleEnded):
        _KNOWN[slug] = _Known(SaleEnded, None, asked_at)
    elif error.run_id is not None and not error.extra["remaining"]:
        _KNOWN[slug] = _Known(SoldOut, error.run_id, asked_at)


def refusal_known(slug: str) -> Refusal | None:
    """Why the next buyer of this sale would be refused; None where a purchase has to find out."""
    known = _KNOWN.get(slug)
    if known is None or known.age < FRESH_SECONDS:
        return known.refusal if known else None
    if not _ASKING.acquire(blocking=known.age >= STALE_SECONDS):
        return known.refusal
    try:
        return _renewed(slug)
    finally:
        _ASKING.release()


def _renewed(slug: str) -> Refusal | None:
    """Asked anew, unless somebody else just has."""
    known = _KNOWN.get(slug)
    if known is None or known.age < FRESH_SECONDS:
        return known.refusal if known else None
    at = time.monotonic()
    if not _still_holds(slug, known.run_id):
        _KNOWN.pop(slug, None)
        return None
    _KNOWN[slug] = _Known(known.refusal, known.run_id, at)
    return known.refusal


def _still_holds(slug: str, run_id: int | None) -> bool:
    try:
        if run_id is None:
            return selectors.sale_is_over(slug)
        return selectors.run_is_sold_out(run_id)
    except Error:  # the view knows what to do about a database that is away
        return False

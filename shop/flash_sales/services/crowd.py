"""What this process has just told a buyer, for those who ask the same a moment later.

Not started, sold out, or over: thousands ask again and again. A refusal is believed for 50 ms; then
one of them asks MySQL whether it still holds, and the others are told the old one for at most 50 ms
more, or wait for the answer. "Not started" is never believed past the start.
"""

import math
import threading
import time
from typing import Final

from django.db import Error

from shop.flash_sales import selectors
from shop.flash_sales.errors import NoSuchSale, SaleEnded, SaleNotStarted, SoldOut

FRESH_SECONDS: Final = 0.05
STALE_SECONDS: Final = 0.1

Refusal = SaleNotStarted | SoldOut | SaleEnded


class Known:
    """What a buyer was told, and when MySQL was asked (monotonic). Never the exception itself,
    which would keep the frames that it went through.
    """

    __slots__ = ("asked_at", "refusal", "run_id", "starts_at", "until")

    def __init__(self, error: Refusal, asked_at: float) -> None:
        self.refusal, self.asked_at, self.until = type(error), asked_at, math.inf
        self.run_id = error.run_id if isinstance(error, SoldOut) else None
        if isinstance(error, SaleNotStarted):
            # Counted from before the database was asked: over at the start, or earlier.
            self.starts_at, self.until = error.starts_at, asked_at + error.seconds

    @property
    def age(self) -> float:
        return time.monotonic() - self.asked_at

    def told(self, wanted: int) -> Refusal:
        """What the next buyer is told, who wants so many units."""
        if self.refusal is SoldOut:
            return SoldOut(wanted=wanted, left=0, run_id=self.run_id)
        if self.refusal is SaleNotStarted:
            return SaleNotStarted(self.starts_at, seconds=self.until - time.monotonic())
        return SaleEnded()


# Of sales that exist, hence not more than there are.
_KNOWN: Final[dict[str, Known]] = {}
_ASKING: Final = threading.Lock()


def refusal_note(slug: str, error: Refusal, *, asked_at: float) -> None:
    """A buyer of this sale was refused; MySQL was asked not before `asked_at` (monotonic).

    What is left for somebody who wants fewer is no reason to send him away.
    """
    if not isinstance(error, SoldOut) or (error.run_id and not error.extra["remaining"]):
        _KNOWN[slug] = Known(error, asked_at)


def refusal_known(slug: str) -> Known | None:
    """Why the next buyer of this sale would be refused; None where a purchase has to find out."""
    known = _believable(slug)
    if known is None or known.age < FRESH_SECONDS:
        return known
    if not _ASKING.acquire(blocking=known.age >= STALE_SECONDS):
        return known
    try:
        return _renewed(slug)
    finally:
        _ASKING.release()


def _believable(slug: str) -> Known | None:
    known = _KNOWN.get(slug)
    return known if known is not None and time.monotonic() < known.until else None


def _renewed(slug: str) -> Known | None:
    """Asked anew, unless somebody else just has."""
    known = _believable(slug)
    if known is None or known.age < FRESH_SECONDS:
        return known
    at = time.monotonic()
    error = _asked(slug, known.run_id)
    if error is None:
        _KNOWN.pop(slug, None)
        return None
    _KNOWN[slug] = renewed = Known(error, at)
    return renewed


def _asked(slug: str, run_id: int | None) -> Refusal | None:
    try:
        if run_id is not None:
            sold_out = selectors.run_is_sold_out(run_id)
            return SoldOut(wanted=1, left=0, run_id=run_id) if sold_out else None
        run = selectors.run_to_buy(selectors.sale_get(slug))
        # Nobody may have written down yet that it is over; the crowd would reach Django meanwhile.
        if selectors.is_all_paid(run.pk):
            selectors.check_next(run.sale)
    except (SaleNotStarted, SaleEnded) as error:
        return error
    except (NoSuchSale, Error):  # the view knows what to do, also where the database is away
        return None
    return None

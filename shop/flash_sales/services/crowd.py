"""What this process has just told a buyer, for those who ask the same a moment later.

Sold out, or over: thousands ask again and again. A refusal is believed for 50 ms; then one call
goes on to find out anew, and the others are told the old one for at most 50 ms more.
"""

import threading
import time
from typing import Final

from shop.flash_sales.errors import SaleEnded, SoldOut

FRESH_SECONDS: Final = 0.05
STALE_SECONDS: Final = 0.1

Refusal = type[SoldOut] | type[SaleEnded]


class _Known:
    __slots__ = ("asked", "at", "refusal")

    def __init__(self, refusal: Refusal, at: float) -> None:
        self.refusal, self.at, self.asked = refusal, at, False


_KNOWN: Final[dict[str, _Known]] = {}
_LOCK: Final = threading.Lock()


def refusal_note(slug: str, error: SoldOut | SaleEnded, *, asked_at: float) -> None:
    """A buyer of this sale was refused; MySQL was asked not before `asked_at` (monotonic).

    What is left for somebody who wants fewer is no reason to send him away.
    """
    if isinstance(error, SoldOut) and error.extra["remaining"]:
        return
    with _LOCK:
        _KNOWN[slug] = _Known(type(error), asked_at)


def refusal_known(slug: str) -> Refusal | None:
    """Why the next buyer of this sale would be refused; None where that must be found out."""
    known = _KNOWN.get(slug)
    if known is None:
        return None
    age = time.monotonic() - known.at
    if age < FRESH_SECONDS:
        return known.refusal
    with _LOCK:
        if age >= STALE_SECONDS:
            _KNOWN.pop(slug, None)
            return None
        first, known.asked = not known.asked, True
        return None if first else known.refusal

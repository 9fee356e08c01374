"""Answers of a moment ago, in the process: a page that a crowd looks at is made once a second.

A kept answer is as old as a read from a database replica may be, and what it shows is looked at
again when somebody buys. In the process that changed what it shows it is gone with the commit.
"""

import itertools
import time
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Final

from django.conf import settings

Headers = Sequence[tuple[str, str]]
# Of some 20 KB each. Beyond it all are forgotten: whoever asks for ever other pages gains nothing.
MOST: Final = 500


@dataclass(slots=True)
class Kept:
    """A body, its ETag and what else it was sent with; moments by the process's monotonic clock."""

    body: bytes
    etag: str
    headers: Headers
    made_at: float
    remade_at: float

    @property
    def age(self) -> float:
        return time.monotonic() - self.made_at


_KEPT: Final[dict[Hashable, Kept]] = {}
_numbers: Final = itertools.count(1)
_changes: Final = [0]


def find(key: Hashable) -> Kept | None:
    """What may be shown now. None asks for a new one: of one caller, while others see the last."""
    found, now = _KEPT.get(key), time.monotonic()
    if found is None:
        return None
    fresh = float(settings.SHELF_SECONDS)
    if now - found.made_at < fresh:
        return found
    # Without it, every thread of the process would make the page that has just grown old.
    if now - found.remade_at < fresh and now - found.made_at < 2 * fresh:
        return found
    found.remade_at = now
    return None


def opened() -> int:
    """To be asked for before anything is read: `keep` wants to know that nothing changed since."""
    return _changes[0]


def keep(key: Hashable, body: bytes, etag: str, *, opened: int, headers: Headers = ()) -> None:
    """Where something was committed meanwhile, `body` may be of before, and is not kept."""
    if not settings.SHELF_SECONDS or opened != _changes[0]:
        return
    if len(_KEPT) >= MOST:
        _KEPT.clear()
    now = time.monotonic()
    _KEPT[key] = Kept(body, etag, headers, now, now)


def forget() -> None:
    """After a commit that changes what is shown."""
    _changes[0] = next(_numbers)
    _KEPT.clear()

"""Which limit a request counts against, and what is left of it."""

from dataclasses import dataclass
from typing import Final

READS: Final = "reads"
WRITES: Final = "writes"
MONEY: Final = "money"
HOOKS: Final = "hooks"

# A probe that is refused would have its process ended by whoever asks.
PROBES: Final = {"/livez", "/readyz", "/metrics"}
_SAFE: Final = {"GET", "HEAD", "OPTIONS"}


@dataclass(frozen=True, slots=True)
class Count:
    """Requests of one caller in the running window, the present one included."""

    limit: int
    used: int
    resets_in: int

    @property
    def remaining(self) -> int:
        return max(0, self.limit - self.used)

    @property
    def refused(self) -> bool:
        return self.used > self.limit


def scope_of(path: str, method: str, *, keyed: bool) -> str | None:
    """The scope that a route belongs to by its own nature, so that none has to be told.

    `keyed`: it takes an Idempotency-Key, as all routes do that make something or move money.
    """
    if path in PROBES:
        return None
    if path.startswith("/webhooks/"):
        return HOOKS
    if method.upper() in _SAFE:
        return READS
    return MONEY if keyed else WRITES


def tightest(counts: list[Count]) -> Count:
    """The count that would refuse first; what the headers tell. Raises ValueError for none."""
    return min(counts, key=lambda count: (count.remaining, -count.resets_in))

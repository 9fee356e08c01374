"""How many attempts are let through, apart from where they are counted."""

import hashlib
from dataclasses import dataclass
from typing import Final

LONGEST_WAIT: Final = 60


@dataclass(frozen=True, slots=True)
class Policy:
    """Attempts within `window` seconds. None: not counted.

    `address`: of one address, whatever the account. `pair`: of one address on one account.
    `account`: on one account, from everywhere; beyond it strange addresses have to wait.
    """

    window: int
    address: int
    pair: int | None = None
    account: int | None = None


def allowance(limit: int, *, factor: float, alone: bool) -> int:
    """The limit by the operator's factor; half of it where a process counts on its own."""
    return max(1, int(limit * factor) // (2 if alone else 1))


def wait(over: int) -> int:
    """Seconds that a strange address waits once an account is `over` its limit: 2, 4 … 60."""
    return int(min(LONGEST_WAIT, 2 ** min(over, 10)))


def digest(text: str) -> str:
    """A key that no length or character of the text can spoil, and that shows no address."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]

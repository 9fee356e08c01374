"""What coins at an invoice's address come to. Pure; amounts in base units, values in cents."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import Final

from payments.intake.rules import GONE, OPEN, Reason, Status

# The chain's own, which has no contract.
COIN: Final = "ETH"


class Verdict(StrEnum):
    """What is done with the coins that are deep enough and not counted yet."""

    # Nothing yet: more may come, or be confirmed, or a rate is missing.
    WAIT = "wait"
    # They pay, whatever is missing or too much.
    TAKE = "take"
    # They are counted and kept, while the buyer may send the rest.
    HOLD = "hold"
    # They are counted and go back.
    RETURN = "return"


class Seen(StrEnum):
    """What the chain says of a named transaction."""

    UNKNOWN = "unknown"
    PENDING = "pending"
    INCLUDED = "included"


@dataclass(frozen=True, slots=True)
class Facts:
    """Of one payment. `fresh` is confirmed and not counted, `counted` was before.

    `worth` is what both are worth today, None while no rate can be trusted; `least` what is still
    accepted for `needed` units where they are late or too few.
    """

    status: Status
    reason: str
    needed: int
    fresh: int
    counted: int
    coming: bool
    late: bool
    expired: bool
    unwatched: bool
    worth: int | None
    least: int

    @property
    def is_enough(self) -> bool:
        return self.fresh + self.counted >= self.needed


def verdict(facts: Facts) -> Verdict:
    """See `Verdict`; coins for a payment that has its money already are counted and go back."""
    if facts.status in OPEN:
        return _of_open(facts)
    if facts.status in GONE:
        return _of_gone(facts)
    if (facts.status, facts.reason) == (Status.REVIEW, Reason.UNDERPAID):
        return _of_underpaid(facts)
    return Verdict.RETURN if facts.fresh else Verdict.WAIT


def _of_open(facts: Facts) -> Verdict:
    if facts.is_enough:
        return _by_worth(facts, Verdict.RETURN) if facts.late else Verdict.TAKE
    if facts.coming or not facts.expired or not facts.fresh:
        return Verdict.WAIT
    return _by_worth(facts, Verdict.HOLD)


def _of_gone(facts: Facts) -> Verdict:
    if not facts.fresh:
        return Verdict.WAIT
    return _by_worth(facts, Verdict.RETURN if facts.is_enough else Verdict.HOLD)


def _of_underpaid(facts: Facts) -> Verdict:
    if facts.fresh:
        return _by_worth(facts, Verdict.RETURN if facts.is_enough else Verdict.HOLD)
    return Verdict.RETURN if facts.unwatched and not facts.coming else Verdict.WAIT


def _by_worth(facts: Facts, otherwise: Verdict) -> Verdict:
    if facts.worth is None:
        return Verdict.WAIT
    return Verdict.TAKE if facts.worth >= facts.least else otherwise


def share(units: int, *, of: int, value: int) -> int:
    """What `units` are as cents, where `of` units are `value`; a started cent is not counted."""
    return units * value // of


def worth(units: int, *, decimals: int, rate: Decimal, per_major: int) -> int:
    """What units are at a rate (of one token), in minor units, rounded down."""
    scale: int = 10**decimals
    exact = Fraction(rate) * per_major * units / scale
    return exact.numerator // exact.denominator


def least(value: int, percent: Decimal) -> int:
    """What is still accepted for `value`: at most `percent` less, rounded up."""
    exact = Fraction(value) * (100 - Fraction(percent)) / 100
    return -(-exact.numerator // exact.denominator)


def depth(value: int, steps: Sequence[tuple[int, int]], most: int) -> int:
    """How many confirmations a payment of so many cents needs; `steps`: (up to, confirmations)."""
    return next((count for limit, count in steps if value <= limit), most)


@dataclass(frozen=True, slots=True)
class Left:
    """Of a counted credit: what it was counted as, and which part of that has gone back."""

    key: int
    token: str
    units: int
    value: int
    units_gone: int = 0
    value_gone: int = 0


def taken(credits: Sequence[Left], value: int) -> list[tuple[int, str, int, int]]:
    """Coins for `value` cents, the newest credits first: (key, token, units, value) of each.

    The last cent of a credit takes all its units with it, and the last cent of all of them what
    came beside and is worth no cent, so that nothing of a whole refund stays.
    """
    rest = sum(credit.value - credit.value_gone for credit in credits) - value
    found = []
    for credit in reversed(credits):
        part = min(value, credit.value - credit.value_gone)
        if part > 0 or (rest == 0 and credit.value == 0):
            found.append((credit.key, credit.token, _units(credit, part), part))
            value -= part
    return [share for share in found if share[2] or share[3]]


def _units(credit: Left, part: int) -> int:
    """Counted from the credit's first cent: what one refund rounds down, the next one gets."""
    gone = credit.value_gone + part
    if gone == credit.value:
        return credit.units - credit.units_gone
    # A refund that failed gives its share back, and may leave others a unit ahead.
    return max(0, share(credit.units, of=credit.value, value=gone) - credit.units_gone)

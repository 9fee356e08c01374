"""What an order costs, when a batch is enough, and who gets what of a fill. Pure.

Coin amounts are integers in base units (the coin's last decimal), money is in cents, prices are in
10^-18 USD for one coin. What coins are worth is kept exact, as units times price.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final

from common.money import DECIMALS, allocate, ratio_up
from payments.market.rules.prices import SCALE

CASH: Final = "USD"
# Whose a price is that follows nobody's.
FIXED: Final = "fixed"
# More of one coin is no order but a mistake; it keeps sums of products within 65 digits.
MOST_DIGITS: Final = 12
# A batch that the venue still finds too small after so many tries is given back.
MOST_ATTEMPTS: Final = 3


class OrderStatus(StrEnum):
    POOLED = "pooled"
    SETTLING = "settling"
    SETTLED = "settled"
    FAILED = "failed"
    CANCELLED = "cancelled"


class BatchState(StrEnum):
    """`decided`: what the venue did is written down, members are being given their shares."""

    OPEN = "open"
    SEALED = "sealed"
    DECIDED = "decided"
    SETTLED = "settled"
    FAILED = "failed"


class AttemptState(StrEnum):
    """`asked`: the outcome is unknown."""

    ASKED = "asked"
    FILLED = "filled"
    REFUSED = "refused"


class Policy(StrEnum):
    """What becomes of a batch that cannot reach the minimum by itself."""

    TOP_UP = "top_up"
    GIVE_BACK = "give_back"


class Reason(StrEnum):
    """Why a batch brought its members nothing."""

    REFUSED = "refused_by_venue"
    BELOW_MINIMUM = "below_minimum"
    WAITED_TOO_LONG = "waited_too_long"
    BY_STAFF = "given_back_by_staff"


def cost(units: int, price: int, decimals: int) -> int:
    """Cents, rounded up, at least one."""
    return max(1, ratio_up(units * price * 10 ** DECIMALS[CASH], 10 ** (SCALE + decimals)))


def worth(units: int, price: int) -> int:
    """In 10^-(18 + decimals) USD, exact.

    The minimum is held against this and not against costs: a thousand orders of a tenth of a cent
    cost ten dollars, and the venue would be offered one.
    """
    return units * price


def worth_of_cents(cents: int, decimals: int) -> int:
    return int(cents * 10 ** (SCALE + decimals - DECIMALS[CASH]))


def lacking(units: int, of_worth: int, wanted: int) -> int:
    """Units that the house adds, at the batch's own price, for it to be worth `wanted`."""
    return max(0, ratio_up(wanted * units, of_worth) - units)


@dataclass(frozen=True, slots=True)
class Split:
    """Parts of a fill in the order of their weights; `dust` is what was filled beyond them all."""

    parts: list[int]
    dust: int


def split(filled: int, weights: Sequence[int]) -> Split:
    """Pro rata by largest remainder; nobody gets more than the weight, which was asked for."""
    shared = min(filled, sum(weights))
    return Split(allocate(shared, weights), filled - shared)


def charge(of_cost: int, filled: int, units: int) -> int:
    """Cents for the part that was filled, rounded up; nothing for nothing, never above the cost."""
    return ratio_up(of_cost * filled, units)


def to_units(amount: Decimal, decimals: int) -> int:
    """Base units of what a venue says, cut off after the coin's last decimal."""
    _, digits, exponent = amount.as_tuple()
    whole, shift = int("".join(map(str, digits))), int(exponent) + decimals
    found: int = whole * 10**shift if shift >= 0 else whole // 10**-shift
    return found

"""Money as integers beside a currency, and the one rounding function.

Amounts inside the project are integers in the currency's minor unit (cents for USD). They become
decimals only at the HTTP border, as strings with the currency's full number of decimals.
"""

from collections.abc import Sequence
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Final

# Digits after the point that the shop keeps of each currency: every amount of it that is stored is
# in units of the last one, so that a number here is never changed.
DECIMALS: Final[dict[str, int]] = {
    "USD": 2,
    "ABAN": 8,
    "ADA": 6,
    "BTC": 8,
    "DOGE": 8,
    "ETH": 18,
    "LTC": 8,
    "POL": 18,
    "SOL": 9,
    "USDC": 6,
    "USDT": 6,
    "XRP": 6,
}

HALF_UP: Final = ROUND_HALF_UP
UP: Final = ROUND_CEILING
DOWN: Final = ROUND_DOWN


def round_units(value: Decimal, rounding: str = HALF_UP) -> int:
    """Round a decimal number of units to whole units; every rounding of money goes through here."""
    return int(value.to_integral_value(rounding=rounding))


def ratio_up(numerator: int, denominator: int) -> int:
    """A fraction of two whole numbers, rounded up to a whole one; exact at any length."""
    return -(-numerator // denominator)


def to_minor(amount: Decimal, currency: str) -> int:
    """`Decimal("10.50"), "USD"` → 1050. Raises ValueError where digits would be lost."""
    # A fraction: Decimal's context would round the 29th digit away and see nothing lost.
    factor: int = 10 ** DECIMALS[currency]
    scaled = Fraction(amount) * factor
    if scaled.denominator != 1:
        raise ValueError(f"{amount} has more decimals than {currency}")
    return scaled.numerator


def from_minor(minor: int, currency: str) -> Decimal:
    """1050, "USD" → `Decimal("10.50")`."""
    # Written out: arithmetic would round the 29th digit away, and a wallet shows what it holds.
    return Decimal(f"{minor}E-{DECIMALS[currency]}")


def to_text(minor: int, currency: str) -> str:
    """1050, "USD" → "10.50": the form in which money leaves the server."""
    return format(from_minor(minor, currency), "f")


def less_percent(minor: int, percent: int) -> int:
    """The amount less `percent` % of it, rounded half up to one minor unit, never below 1."""
    return max(1, round_units(Decimal(minor * (100 - percent)) / 100))


def allocate(total: int, weights: Sequence[int]) -> list[int]:
    """Split `total` in proportion to `weights`; the parts always add up to `total`.

    Largest-remainder method: whole parts first, then one unit each to the largest remainders,
    the earlier one first where they are equal. All weights zero raises ValueError.
    """
    whole = sum(weights)
    if whole <= 0:
        raise ValueError("nothing to allocate to")
    parts = [total * weight // whole for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda i: -(total * weights[i] % whole))
    for i in by_remainder[: total - sum(parts)]:
        parts[i] += 1
    return parts

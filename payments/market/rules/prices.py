"""Readings of prices: which are believed, how they are kept, what is reckoned from them. Pure.

A price is USD for one coin. It is kept as an integer of 10^-18 USD, which no database rounds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, localcontext
from fractions import Fraction
from typing import Final, TypeVar

T = TypeVar("T")
SCALE: Final = 18
# Beyond this nothing is a price of one coin, nor of all coins of a kind.
HIGHEST: Final = Decimal(10**12)
HIGHEST_CAP: Final = Decimal(10**20)
# A provider's clock may be a little ahead of ours.
AHEAD: Final = timedelta(minutes=5)
DOUBTFUL: Final = {"jumped", "far_off"}


@dataclass(frozen=True, slots=True)
class Reading:
    """What a provider says of a coin; `updated_at` is the provider's own moment.

    `market_cap` is in USD, `change_24h` in percent; many providers leave them out.
    """

    coin: str
    price: Decimal
    updated_at: datetime
    market_cap: Decimal | None = None
    change_24h: float | None = None


@dataclass(frozen=True, slots=True)
class Price:
    """A stored reading, with the provider that gave it."""

    coin: str
    price: Decimal
    as_of: datetime
    source: str
    market_cap: Decimal | None = None
    change_24h: float | None = None


@dataclass(frozen=True, slots=True)
class Bounds:
    """By which factor a price may differ from the one before it, and from where it is expected.

    A reading older than `oldest` says nothing of now.
    """

    jump: Decimal
    first: Decimal
    oldest: timedelta


def to_units(value: Decimal) -> int:
    """`Decimal("0.36")` → 360000000000000000, rounded half up. The value must be finite."""
    return int(Fraction(value) * 10**SCALE + Fraction(1, 2))


def from_units(units: int) -> Decimal:
    """Written out: arithmetic would round the 29th digit away."""
    return Decimal(f"{units}E-{SCALE}")


def refusal(
    reading: Reading, *, before: Decimal | None, near: Decimal, now: datetime, bounds: Bounds
) -> str | None:
    """Why a reading is not to be believed, as a code; None where it is.

    `before` is the last price that was believed, if there is a recent one. What is DOUBTFUL may
    still be true, if another provider says the same.
    """
    price = reading.price
    if not price.is_finite():
        return "not_a_number"
    if price <= 0 or (price <= HIGHEST and to_units(price) == 0):
        return "not_positive"
    if price > HIGHEST:
        return "out_of_bounds"
    if reading.updated_at > now + AHEAD:
        return "in_the_future"
    if reading.updated_at < now - bounds.oldest:
        return "stale"
    if before is not None:
        return None if agree(price, before, bounds.jump) else "jumped"
    return None if agree(price, near, bounds.first) else "far_off"


def agree(one: Decimal, other: Decimal, factor: Decimal) -> bool:
    """Whether two prices, both positive, are within a factor of each other."""
    return max(one, other) <= min(one, other) * factor


def cap_of(value: object) -> Decimal | None:
    """A market cap, where it can be one."""
    if not isinstance(value, Decimal) or not value.is_finite():
        return None
    return value if 0 < value < HIGHEST_CAP else None


def change_of(value: object) -> float | None:
    """A change in percent, where it can be one."""
    if not isinstance(value, Decimal) or not value.is_finite() or abs(value) > 10**9:
        return None
    return float(value)


def deviation(prices: Sequence[Decimal]) -> Decimal:
    """The population standard deviation. Raises ValueError without any price."""
    if not prices:
        raise ValueError("no prices")
    with localcontext() as context:
        context.prec = 60
        mean = sum(prices, Decimal(0)) / len(prices)
        squares = sum(((price - mean) ** 2 for price in prices), Decimal(0))
        return (squares / len(prices)).sqrt()


def shown(value: Decimal) -> Decimal:
    """Two decimals, and as many more as six significant digits take: 4082.48, 0.00123457."""
    places = max(2, 5 - value.adjusted()) if value else 2
    return value.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)


def number(value: Decimal | None) -> int | float | None:
    """As a JSON number, where a contract asks for one; whole values without a point."""
    if value is None:
        return None
    return int(value) if value == value.to_integral_value() else float(value)


def base_units(minor: int, *, per_major: int, rate: Decimal, decimals: int) -> int:
    """What `minor` units of money are in a token's base units, rounded up to a whole one.

    `per_major` minor units are one of what `rate` is given in: 100 cents to the dollar.
    """
    numerator, denominator = units_for_minor(per_major=per_major, rate=rate, decimals=decimals)
    return -(-minor * numerator // denominator)


def units_for_minor(*, per_major: int, rate: Decimal, decimals: int) -> tuple[int, int]:
    """Base units for one minor unit, exactly, as a numerator and a denominator."""
    factor: int = 10**decimals
    exact = factor / (per_major * Fraction(rate))
    return exact.numerator, exact.denominator


def to_text(units: int, decimals: int) -> str:
    """Base units in the token's own unit: 412345670000000000, 18 → "0.412345670000000000"."""
    digits = str(units).zfill(decimals + 1)
    return f"{digits[:-decimals]}.{digits[-decimals:]}" if decimals else digits


def thinned(points: Sequence[T], most: int) -> list[T]:
    """At most so many of them, evenly spread; the last is always among them."""
    if len(points) <= most:
        return list(points)
    step = len(points) / most
    return [points[int((place + 1) * step) - 1] for place in range(most)]


def by_slot(readings: Sequence[Reading], seconds: int) -> list[Reading]:
    """The last reading of each span of so many seconds, oldest first."""
    ordered = sorted(readings, key=lambda reading: reading.updated_at)
    slots = {int(each.updated_at.timestamp()) // seconds: each for each in ordered}
    return list(slots.values())

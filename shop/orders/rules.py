"""What an order may become, and how its amounts are split. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Self

from common.money import allocate


class Status(StrEnum):
    PENDING = "pending_payment"
    PAID = "paid"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    PARTIALLY_REFUNDED = "partially_refunded"
    REFUNDED = "refunded"


class Fulfilment(StrEnum):
    OPEN = "unfulfilled"
    DONE = "fulfilled"


# `cancelled | expired → paid` only for late money whose stock could be taken again.
TRANSITIONS: Final[Mapping[Status, frozenset[Status]]] = {
    Status.PENDING: frozenset({Status.PAID, Status.CANCELLED, Status.EXPIRED}),
    Status.CANCELLED: frozenset({Status.PAID}),
    Status.EXPIRED: frozenset({Status.PAID}),
    Status.PAID: frozenset({Status.PARTIALLY_REFUNDED, Status.REFUNDED}),
    Status.PARTIALLY_REFUNDED: frozenset({Status.PARTIALLY_REFUNDED, Status.REFUNDED}),
    Status.REFUNDED: frozenset(),
}

# States in which the customer has bought the goods, whatever was refunded since.
BOUGHT: Final = (Status.PAID, Status.PARTIALLY_REFUNDED, Status.REFUNDED)


# Keeps every total, and sums of millions of them, within BIGINT and within what Stripe takes.
MAX_TOTAL: Final = 99_999_999


def may_become(current: str, wanted: Status) -> bool:
    return wanted in TRANSITIONS[Status(current)]


def status_after_refund(total: int, refunded: int) -> Status:
    """The status of a paid order of which `refunded` minor units have been given back."""
    return Status.REFUNDED if refunded >= total else Status.PARTIALLY_REFUNDED


def sum_quantities(lines: Sequence[tuple[str, int]]) -> dict[str, int]:
    """Several lines of one product are one demand; checked apart, each could pass alone."""
    summed: dict[str, int] = {}
    for slug, quantity in lines:
        summed[slug] = summed.get(slug, 0) + quantity
    return summed


@dataclass(frozen=True, slots=True)
class LineLeft:
    """What of an order line has not been refunded yet."""

    line_id: int
    slug: str
    unit_price: int
    quantity: int
    amount: int


@dataclass(frozen=True, slots=True)
class LineShare:
    """A refund's share of one line, in minor units and units."""

    line_id: int
    amount: int
    quantity: int


def refund_amount(left: Sequence[LineLeft], chosen: Mapping[str, int]) -> int:
    """What `chosen` ({slug: quantity}) is worth, capped by what is left of each line."""
    return sum(_worth(line, chosen) for line in left if line.slug in chosen)


def refund_shares(
    left: Sequence[LineLeft], amount: int, chosen: Mapping[str, int]
) -> list[LineShare]:
    """Spread `amount` over the chosen lines by the price of the chosen units, or over all of them
    by what is left of each.

    Every refund is spread, so that figures per product always add up to those per order. A refund
    of all that is left returns every remaining unit.
    """
    lines = [line for line in left if not chosen or line.slug in chosen]
    parts = _parts(lines, amount, chosen)
    everything = amount == sum(line.amount for line in left)
    return [
        LineShare(line.line_id, part, _units(line, chosen, everything))
        for line, part in zip(lines, parts, strict=True)
    ]


def _parts(lines: Sequence[LineLeft], amount: int, chosen: Mapping[str, int]) -> list[int]:
    """What the chosen units cost first, then the rest of their lines."""
    worth = [_worth(line, chosen) for line in lines]
    first = min(amount, sum(worth))
    parts = allocate(first, worth) if first else [0] * len(lines)
    if amount > first:
        rest = [line.amount - value for line, value in zip(lines, worth, strict=True)]
        parts = [a + b for a, b in zip(parts, allocate(amount - first, rest), strict=True)]
    return parts


def _worth(line: LineLeft, chosen: Mapping[str, int]) -> int:
    if not chosen:
        return line.amount
    return min(line.unit_price * chosen.get(line.slug, 0), line.amount)


def _units(line: LineLeft, chosen: Mapping[str, int], everything: bool) -> int:
    return line.quantity if everything and not chosen else chosen.get(line.slug, 0)


@dataclass(frozen=True, slots=True)
class Bought:
    """What a customer has bought of one product; what was refunded of it is contained."""

    orders: int
    units: int
    paid: int
    refunded_units: int
    refunded: int
    first: datetime
    last: datetime

    def __add__(self, later: "Bought") -> "Bought":
        return Bought(
            self.orders + later.orders,
            self.units + later.units,
            self.paid + later.paid,
            self.refunded_units + later.refunded_units,
            self.refunded + later.refunded,
            min(self.first, later.first),
            max(self.last, later.last),
        )

    @property
    def kept(self) -> int:
        return self.units - self.refunded_units

    def as_json(self) -> list[Any]:
        return [*astuple(self)[:5], self.first.isoformat(), self.last.isoformat()]

    @classmethod
    def of_json(cls, row: Sequence[Any]) -> Self:
        orders, units, paid, refunded_units, refunded, first, last = row
        first, last = datetime.fromisoformat(first), datetime.fromisoformat(last)
        return cls(orders, units, paid, refunded_units, refunded, first, last)


Sums = tuple[int, int, int]


def add_sums(a: Mapping[str, Sums], b: Mapping[str, Sums]) -> dict[str, Sums]:
    """Sums of three by name, together."""
    none = (0, 0, 0)
    together = ((name, a.get(name, none), b.get(name, none)) for name in a.keys() | b.keys())
    return {name: (x[0] + y[0], x[1] + y[1], x[2] + y[2]) for name, x, y in together}

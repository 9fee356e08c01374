"""What an order may become, and how its amounts are split. Pure."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


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
    Status.PARTIALLY_REFUNDED: frozenset({Status.REFUNDED}),
    Status.REFUNDED: frozenset(),
}

# States in which the customer has bought the goods, whatever was refunded since.
BOUGHT: Final = (Status.PAID, Status.PARTIALLY_REFUNDED, Status.REFUNDED)


def may_become(current: str, wanted: Status) -> bool:
    return wanted in TRANSITIONS[Status(current)]


def status_after_refund(total: int, refunded: int) -> Status:
    """The status of a paid order of which `refunded` minor units have been given back."""
    return Status.REFUNDED if refunded >= total else Status.PARTIALLY_REFUNDED


def sum_quantities(lines: list[tuple[str, int]]) -> dict[str, int]:
    """Several lines of one product are one demand; checked apart, each could pass alone."""
    summed: dict[str, int] = {}
    for slug, quantity in lines:
        summed[slug] = summed.get(slug, 0) + quantity
    return summed

"""How often is too often. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from ipaddress import ip_address, ip_network


class Rule(StrEnum):
    """What purchases of flash sales are counted by."""

    USER = "user"
    ADDRESS = "address"
    NEW_ACCOUNT = "new_account"
    CARD = "card"


class Action(StrEnum):
    """`refuse` turns the purchase away; `review` holds its money until staff have decided."""

    REFUSE = "refuse"
    REVIEW = "review"


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `limit` within `window`; 0 is no limit. `younger`: of accounts younger than that."""

    limit: int
    window: timedelta
    younger: timedelta = timedelta(0)

    def is_over(self, used: int) -> bool:
        return 0 < self.limit < used


def is_new(age: timedelta, limit: Limit) -> bool:
    return age < limit.younger


def in_networks(address: str, networks: Iterable[str]) -> bool:
    found = ip_address(address)
    return any(found in ip_network(text, strict=False) for text in networks)


def network(text: str) -> str:
    """An address or a network as it is kept. Raises ValueError."""
    return str(ip_network(text.strip(), strict=False))

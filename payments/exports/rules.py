"""What an export is made of: its states, its columns, and a cell of each. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from common import money, sheets
from common.moments import moment_text

# Rows of one piece: what a worker has in memory, and what a kill costs.
PIECE_ROWS: Final = 2000
# A worker gives others their turn after this.
TURN_SECONDS: Final = 8.0
# Failed turns in a row after which an export is given up.
MOST_FAILURES: Final = 5
# Of one member of staff at the same time.
MOST_OPEN: Final = 5
MOST_DAYS: Final = 3660
# Prices of coins are kept in 10^-18 USD.
_FINE: Final = 18


class Kind(StrEnum):
    ORDERS = "orders"
    PAYMENTS = "payments"
    REFUNDS = "refunds"
    PRODUCTS = "products"
    STOCK = "stock"
    CUSTOMERS = "customers"
    LEDGER = "ledger"
    EXCHANGE_ORDERS = "exchange_orders"


class Status(StrEnum):
    PENDING = "pending"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    # Its file is gone.
    EXPIRED = "expired"


OPEN: Final = (Status.PENDING, Status.RUNNING)


class Cell(StrEnum):
    """How a value is written. Only text comes from people, and only text is defused."""

    TEXT = "text"
    NUMBER = "number"
    MONEY = "money"
    FINE = "fine"
    MOMENT = "moment"
    FLAG = "flag"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Column:
    """A column; `path` is where its value is in a row, `currency` where that of MONEY is."""

    name: str
    path: str
    cell: Cell = Cell.TEXT
    currency: str = ""

    def paths(self) -> list[str]:
        return [self.path, *([self.currency] if self.currency else [])]

    def write(self, row: Mapping[str, Any]) -> str:
        value = row[self.path]
        if self.cell == Cell.MISSING:
            return _flag(value is None)
        if value is None:
            return ""
        if self.cell == Cell.MONEY:
            return amount(int(value), row[self.currency])
        return _WRITE[self.cell](value)


def amount(units: int, currency: str) -> str:
    """In the currency's own unit. Every currency that the books have is one of DECIMALS."""
    return money.to_text(units, currency)


def _flag(value: bool) -> str:
    return "true" if value else "false"


def _fine(units: int) -> str:
    """10^-18 dollars as dollars, without what is nought at the end, but with the cents."""
    whole, part = divmod(int(units), 10**_FINE)
    return f"{whole}.{f'{part:0{_FINE}d}'.rstrip('0').ljust(2, '0')}"


def _moment(value: datetime) -> str:
    return moment_text(value)


_WRITE: Final[dict[Cell, Callable[[Any], str]]] = {
    Cell.TEXT: lambda value: sheets.text(str(value)),
    Cell.NUMBER: lambda value: str(int(value)),
    Cell.FINE: _fine,
    Cell.MOMENT: _moment,
    Cell.FLAG: _flag,
}


def percent(status: str, done: int, total: int | None) -> int:
    """How far it is: 100 only once it is whole."""
    if status in (Status.DONE, Status.EXPIRED):
        return 100
    return min(99, 100 * done // total) if total else 0


def too_long(since: datetime, until: datetime) -> bool:
    return until - since > timedelta(days=MOST_DAYS)

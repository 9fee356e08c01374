"""What the venue knows: prices, its minimum, the orders it took, and the faults asked for.

Orders are rows of an SQLite file, so that a restart forgets none: a venue that did would buy again
what it has bought.
"""

import json
import sqlite3
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any, Final

JSON = dict[str, Any]
PRICES: Final = {"BTC": "67.00", "ABAN": "4.00"}
MINIMUM: Final = "10.00"
PAGE: Final = 100

# Before anything is bought; the order is not taken.
BEFORE: Final = {"timeout", "500", "reset", "html", "401"}
# The order is taken, and the answer is lost, spoilt or late.
AFTER: Final = {"timeout_after", "500_after", "reset_after", "truncated", "slow", "garbled"}
# What becomes of the order itself.
FILLS: Final = {"partial", "dust", "refuse", "minimum", "pending", "nothing"}
_TABLE: Final = """CREATE TABLE IF NOT EXISTS orders (
    seq INTEGER PRIMARY KEY, id TEXT UNIQUE, created REAL, body TEXT)"""


@dataclass
class Fault:
    """One kind of failure, for so many purchases (or, with `finds`, questions).

    `value`: of "partial" the share that is filled, of "minimum" the new minimum in USD.
    """

    kind: str
    times: int
    seconds: float
    value: str
    finds: bool


class World:
    """`clock` is unix seconds."""

    def __init__(self, path: str | Path, clock: Callable[[], float] = time.time) -> None:
        self.clock, self.guard = clock, threading.RLock()
        self._db = sqlite3.connect(str(path), check_same_thread=False, isolation_level=None)
        self._db.execute(_TABLE)
        self.calls: list[JSON] = []
        self.reset()

    def reset(self) -> None:
        """As it began, but for the orders it took."""
        with self.guard:
            self.faults: list[Fault] = []
            self.calls.clear()
            self.prices = dict(PRICES)
            self.minimum = Decimal(MINIMUM)

    def fault(
        self, kind: str, times: int = 1, seconds: float = 30, value: str = "", finds: bool = False
    ) -> None:
        """Raises ValueError: a misspelt fault that never happens would make a test pass."""
        if kind not in BEFORE | AFTER | FILLS or (finds and kind in FILLS):
            raise ValueError(f"kind must be of {sorted(BEFORE | AFTER | FILLS)}")
        if times < 1 or not 0 <= seconds <= 3600:
            raise ValueError("times must be positive, seconds from 0 to 3600")
        with self.guard:
            self.faults.append(Fault(kind, times, seconds, value, finds))

    def take_fault(self, *, finds: bool) -> Fault | None:
        with self.guard:
            found = next((f for f in self.faults if f.times and f.finds is finds), None)
            if found is not None:
                found.times -= 1
            return found

    def note(self, call: JSON) -> None:
        with self.guard:
            self.calls.append({"at": self.clock(), **call})

    def order(self, client_order_id: str) -> JSON | None:
        """An order as it is now: one that was pending is filled when it is asked about again."""
        with self.guard:
            found = self._db.execute(
                "SELECT body FROM orders WHERE id = ?", (client_order_id,)
            ).fetchone()
            if found is None:
                return None
            body: JSON = json.loads(found[0])
            if body["status"] == "open" and body.pop("asked", 0):
                self._fill(body, Decimal(body["amount"]))
            elif body["status"] == "open":
                body["asked"] = 1
            self._db.execute(
                "UPDATE orders SET body = ? WHERE id = ?", (json.dumps(body), client_order_id)
            )
            return body

    def orders(self, since: float, after: str) -> tuple[list[JSON], str | None]:
        """A page, oldest first, and where the next one starts."""
        with self.guard:
            rows = self._db.execute(
                "SELECT seq, body FROM orders WHERE created >= ? AND seq > ? ORDER BY seq LIMIT ?",
                (since, int(after or 0), PAGE + 1),
            ).fetchall()
        page = rows[:PAGE]
        return [json.loads(row[1]) for row in page], str(page[-1][0]) if len(rows) > PAGE else None

    def buy(self, client_order_id: str, currency: str, amount: str, fault: Fault | None) -> JSON:
        """Take an order, once for each id. Raises ValueError for another order under the same."""
        with self.guard:
            known = self.order(client_order_id)
            if known is not None:
                if (known["currency"], known["amount"]) != (currency, amount):
                    raise ValueError("client_order_id stands for another order")
                return known
            body = self._judged(client_order_id, currency, amount, fault)
            self._db.execute(
                "INSERT INTO orders (id, created, body) VALUES (?, ?, ?)",
                (client_order_id, self.clock(), json.dumps(body)),
            )
            return body

    def _judged(self, key: str, currency: str, amount: str, fault: Fault | None) -> JSON:
        body: JSON = {
            "id": uuid.uuid4().hex,
            "client_order_id": key,
            "currency": currency,
            "amount": amount,
            "filled": "0",
            "cost": "0",
            "status": "rejected",
            "created_at": self.clock(),
        }
        kind = fault.kind if fault else ""
        if kind == "minimum" and fault:
            self.minimum = Decimal(fault.value)
        if currency not in self.prices or kind == "refuse":
            return {**body, "reason": "refused" if kind else "unknown_currency"}
        if Decimal(amount) * Decimal(self.prices[currency]) < self.minimum:
            return {**body, "reason": "below_minimum", "minimum": str(self.minimum)}
        body["price"] = self.prices[currency]
        if kind == "pending":
            return {**body, "status": "open"}
        self._fill(body, _share(Decimal(amount), fault))
        return body

    def _fill(self, body: JSON, filled: Decimal) -> None:
        price = Decimal(body.get("price", "0"))
        status = "filled" if filled >= Decimal(body["amount"]) else "partially_filled"
        body |= {
            "filled": format(filled, "f"),
            "cost": format(filled * price, "f"),
            "status": status,
        }


def _share(amount: Decimal, fault: Fault | None) -> Decimal:
    """How much is filled; a venue with lots of its own may fill a little more than was asked."""
    match fault.kind if fault else "":
        case "partial":
            share = amount * Decimal(fault.value or "0.5") if fault else amount
            return share.quantize(Decimal("0.00000001"), ROUND_HALF_UP)
        case "nothing":
            return Decimal(0)
        case "dust":
            return amount + Decimal("0.00000001")
    return amount

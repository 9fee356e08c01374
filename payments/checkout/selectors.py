"""Reads that join what the shop knows of an order with what is known of its payments."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from common.money import to_text
from payments.intake import selectors as intake
from payments.intake.models import Payment
from shop.orders import selectors as orders
from shop.orders.models import Order

CURRENCY = "USD"


@dataclass(frozen=True, slots=True)
class Joined:
    """Current payments of some orders, and what clients need to pay them."""

    payments: dict[int, Payment]
    details: dict[int, dict[str, Any]]


def join(found: Sequence[Order]) -> Joined:
    """Two queries and one for each method, however many orders."""
    payments = intake.current_payments([order.pk for order in found])
    return Joined(payments, intake.describe(payments.values()))


def summary(user_id: int) -> dict[str, Any]:
    """All of a customer's purchases in figures; `spent` is what was paid less what was refunded."""
    totals = orders.purchase_totals(user_id)
    favourite = orders.favourite_product(user_id)
    return {
        "currency": CURRENCY,
        "orders": totals["orders"],
        "items": totals["items"],
        "paid": totals["paid"],
        "refunded": totals["refunded"],
        "spent": totals["paid"] - totals["refunded"],
        "average_order_value": _average(totals["paid"], totals["orders"]),
        "by_method": [_method(row) for row in intake.paid_by_method(user_id)],
        "by_month": [_month(row) for row in orders.purchases_by_month(user_id)],
        "favourite_product": favourite
        and {
            "slug": favourite["slug"],
            "name": favourite["title"],
            "quantity": favourite["quantity"],
        },
    }


def _average(paid: int, count: int) -> int | None:
    # A float would be off by cents for large sums; halves go up, as everywhere.
    return (2 * paid + count) // (2 * count) if count else None


def _method(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "method": row["method"],
        "payments": row["payments"],
        "spent": to_text(row["paid"] - row["given_back"], CURRENCY),
    }


def _month(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "month": row["month"].strftime("%Y-%m"),
        "orders": row["orders"],
        "spent": to_text(row["paid"] - row["refunded_sum"], CURRENCY),
    }

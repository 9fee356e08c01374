"""Reads that join what the shop knows of an order with what is known of its payments."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from common.money import to_text
from payments.intake import selectors as intake
from payments.intake.models import Payment
from shop.catalogue.selectors import product_names
from shop.orders import selectors as orders
from shop.orders.models import Order
from shop.orders.rules import Bought, Sums, add_sums

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
    past = orders.past(user_id)
    products = orders.products_until_now(user_id, past)
    months = orders.months_until_now(user_id, past)
    methods = add_sums(past.methods, intake.paid_by_method(user_id, after=past.until))
    count, paid, refunded = (sum(row[place] for row in months.values()) for place in range(3))
    return {
        "currency": CURRENCY,
        "orders": count,
        "items": sum(bought.kept for bought in products.values()),
        "paid": paid,
        "refunded": refunded,
        "spent": paid - refunded,
        "average_order_value": _average(paid, count),
        "by_method": [_method(name, row) for name, row in sorted(methods.items())],
        "by_month": [_month(name, row) for name, row in sorted(months.items(), reverse=True)],
        "favourite_product": _favourite(products),
    }


def _favourite(products: Mapping[int, Bought]) -> dict[str, Any] | None:
    found = orders.favourite(products)
    if found is None:
        return None
    product_id, quantity = found
    slug, name = product_names([product_id])[product_id]
    return {"slug": slug, "name": name, "quantity": quantity}


def _average(paid: int, count: int) -> int | None:
    # A float would be off by cents for large sums; halves go up, as everywhere.
    return (2 * paid + count) // (2 * count) if count else None


def _method(name: str, sums: Sums) -> dict[str, Any]:
    payments, paid, given_back = sums
    return {"method": name, "payments": payments, "spent": to_text(paid - given_back, CURRENCY)}


def _month(name: str, sums: Sums) -> dict[str, Any]:
    count, paid, refunded = sums
    return {"month": name, "orders": count, "spent": to_text(paid - refunded, CURRENCY)}


def history_differences() -> Iterator[str]:
    """A line for each customer whose summed past is not what the orders and payments say."""
    for user_id in orders.users_counted():
        kept = orders.past(user_id)
        # Void meanwhile: there is nothing to compare.
        if kept.until is not None and kept != _truth(user_id, kept.until):
            yield f"past purchases of customer {user_id} are not the sums of the orders"


def _truth(user_id: int, until: datetime) -> orders.Past:
    lines = orders.lines_bought(user_id, until=until)
    products, months = orders.products_bought(lines), orders.months_bought(lines)
    return orders.Past(until, products, months, intake.paid_by_method(user_id, until=until))

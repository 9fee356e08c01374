"""Threads with database connections of their own, and the people and goods of the races."""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

from django.db import connection, connections, transaction
from rest_framework.test import APIClient

from common.together import Together
from payments.checkout import services as checkout
from payments.checkout.services import Placed, placing
from payments.intake import locks as intake_locks
from payments.intake import services as machine
from payments.intake.locks import Locked
from payments.intake.models import Payment
from payments.intake.services import Capture
from shop.inventory import services as inventory
from shop.inventory.models import Stock
from shop.orders import locks as order_locks
from shop.orders.models import Order
from tests.factories.shop import ProductFactory
from tests.factories.users import UserFactory, client_for


def in_parallel(calls: Sequence[Callable[[], Any]]) -> list[Any]:
    """What each call returned or raised; they start together, each with its own connection."""
    together = Barrier(len(calls))

    def one(call: Callable[[], Any]) -> Any:
        try:
            connection.ensure_connection()
            together.wait(120)
            return call()
        except Exception as error:
            return error
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(one, calls))


def quiet(client: APIClient) -> APIClient:
    """A client that answers 500 as a server would, instead of raising."""
    client.raise_request_exception = False
    return client


def buyers(count: int) -> list[APIClient]:
    """Clients of separate users."""
    return [quiet(client_for(UserFactory())) for _ in range(count)]


def post_order(client: APIClient, lines: Mapping[str, int], **headers: str) -> Any:
    body = {
        "lines": [{"product": slug, "quantity": count} for slug, count in lines.items()],
        "payment": {"method": "stripe"},
    }
    return client.post("/api/v1/orders/", body, format="json", headers=headers)


def order_of_one(*, stock: int = 1, method: str = "stripe") -> Placed:
    """An unpaid order of one unit of a new product."""
    # A product whose stock is there a commit before its movements is a breach to who looks then.
    with transaction.atomic():
        product = ProductFactory(stock=stock)
    return checkout.order_place(
        user_id=UserFactory().pk, quantities={product.slug: 1}, method=method
    )


def capture_of(payment: Payment, reference: str = "pi_race") -> Capture:
    return Capture(payment.amount, payment.currency, f"{reference}_{payment.pk}")


def paid_order() -> Placed:
    """An order whose money came in without Stripe having been asked."""
    placed = order_of_one()
    machine.payment_settle(payment_id=placed.payment.pk, capture=capture_of(placed.payment))
    return placed


def remove_payment_lock(monkeypatch: Any) -> None:
    """Orders and payments are read like anything else: the guard of all that changes them."""

    def payment(pk: int) -> Locked:
        found = Payment.objects.get(pk=pk)
        return Locked(found, Order.objects.get(pk=found.order_id) if found.order_id else None)

    monkeypatch.setattr(intake_locks, "payment", payment)
    monkeypatch.setattr(order_locks, "order", lambda pk: Order.objects.get(pk=pk))
    monkeypatch.setattr(
        intake_locks,
        "open_payment",
        lambda order: Payment.objects.filter(open_for=order.pk).first(),
    )


def each_order_alone(monkeypatch: Any) -> None:
    """No two in one transaction: as if each came to a process of its own."""
    monkeypatch.setattr(placing, "_group", lambda wish: Together(placing._carry_out))


def read_before_the_write(monkeypatch: Any) -> None:
    """Units are taken on the word of what was read a moment ago: the guard of all stock."""
    each_order_alone(monkeypatch)

    def take(product_id: int, quantity: int, *, sold: bool = False) -> bool:
        row = Stock.objects.get(pk=product_id)
        if row.available < quantity:
            return False
        time.sleep(0.05)
        return Stock.objects.filter(pk=product_id).update(held=row.held + quantity) == 1

    monkeypatch.setattr(inventory, "_take", take)

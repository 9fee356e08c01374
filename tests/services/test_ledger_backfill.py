"""Payments from before the ledger are booked as the services would have booked them."""

from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.db import connection

from accounts.ledger.models import Posting, Transfer
from accounts.ledger.selectors import house_balances
from config import invariants
from payments.intake.models import Payment, Refund
from payments.intake.services import Capture, payment_settle
from tests.factories.orders import ORDERS, buy, own_rollbacks, place, post, refund
from tests.factories.shop import ProductFactory

__all__ = ["own_rollbacks"]
pytestmark = pytest.mark.django_db

migration = import_module("payments.migrations.0003_past_payments_into_the_ledger")


def capture(payment: Any, amount: int) -> None:
    row = Payment.objects.get(uid=payment["id"])
    payment_settle(payment_id=row.pk, capture=Capture(amount, "USD", f"pi_{row.pk}"))


@pytest.fixture
def past(api: Any, staff_api: Any, drain: Any, sandbox: Any, own_rollbacks: None) -> None:
    """Paid, partly refunded, paid late, paid twice, and paid with another amount."""
    ProductFactory(slug="a", list_price=1000, stock=9)
    buy(api, drain, ("a", 1))
    refund(staff_api, buy(api, drain, ("a", 2))["payment"], amount="3.00")
    drain()
    late = place(api, ("a", 1))
    post(api, f"{ORDERS}{late['number']}/cancel/")
    capture(late["payment"], 1000)
    twice = place(api, ("a", 1))
    post(api, f"{ORDERS}{twice['number']}/payments/", {"method": "stripe"})
    second = Payment.objects.latest("pk")
    capture(twice["payment"], 1000)
    capture({"id": second.uid}, 1000)
    capture(place(api, ("a", 1))["payment"], 900)


def forget_the_ledger() -> None:
    with connection.cursor() as cursor:
        for model in (Posting, Transfer):
            cursor.execute(f"DELETE FROM {model._meta.db_table}")
    Refund.objects.update(source="sale")


@pytest.mark.usefixtures("past")
def test_the_books_are_as_if_they_had_been_kept_from_the_start() -> None:
    written, references = house_balances(), set(Transfer.objects.values_list("reference"))
    assert written["unapplied", "USD"] == -1900
    forget_the_ledger()
    assert invariants.breaches()
    for _ in range(2):
        migration.book(apps, None)
    assert house_balances() == written
    assert set(Transfer.objects.values_list("reference")) == references
    assert invariants.breaches() == []

"""Many buyers of few units, each guard with the control that lacks it."""

import time
from collections import Counter
from typing import Any

import pytest

from config import invariants
from shop.inventory import services as inventory
from shop.inventory.models import Stock
from shop.models import Order
from tests.factories.shop import ProductFactory
from tests.races.parallel import buyers, in_parallel, post_order

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_stripe")]


def rush(*, stock: int, quantities: list[int]) -> tuple[Counter[int], Stock]:
    """Everybody orders at once over HTTP: how often each status was answered, and the stock."""
    product = ProductFactory(stock=stock)
    clients = buyers(len(quantities))
    calls = [
        lambda c=client, q=quantity: post_order(c, {product.slug: q})
        for client, quantity in zip(clients, quantities, strict=True)
    ]
    answers = in_parallel(calls)
    broken = [answer for answer in answers if isinstance(answer, Exception)]
    assert not broken, broken[:3]
    refused = [answer.json()["code"] for answer in answers if answer.status_code == 409]
    assert set(refused) <= {"out_of_stock"}
    return Counter(a.status_code for a in answers), Stock.objects.get(pk=product.pk)


def test_one_of_200_buyers_gets_the_last_unit() -> None:
    statuses, stock = rush(stock=1, quantities=[1] * 200)
    assert statuses == {201: 1, 409: 199}
    assert (stock.on_hand, stock.held) == (1, 1)
    assert Order.objects.count() == 1
    assert invariants.breaches() == []


def test_20_units_meet_50_buyers_of_one_to_three() -> None:
    wanted = [1 + number % 3 for number in range(50)]
    statuses, stock = rush(stock=20, quantities=wanted)
    assert set(statuses) == {201, 409}
    # The last one refused wanted at most three: more than two units cannot be left over.
    assert 18 <= stock.held <= 20
    assert invariants.breaches() == []


def _read_then_write(product_id: int, quantity: int) -> bool:
    row = Stock.objects.get(pk=product_id)
    if row.available < quantity:
        return False
    time.sleep(0.05)
    return Stock.objects.filter(pk=product_id).update(held=row.held + quantity) == 1


def test_control_a_read_before_the_write_sells_the_last_unit_often(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(inventory, "_take", _read_then_write)
    statuses, _ = rush(stock=1, quantities=[1] * 30)
    assert statuses[201] > 1
    assert any("live holds" in line for line in invariants.breaches())


def _without_condition(product_id: int, quantity: int) -> bool:
    held = Stock.objects.get(pk=product_id).held + quantity
    return Stock.objects.filter(pk=product_id).update(held=held) == 1


def test_control_without_any_condition_the_check_constraint_still_stands(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The backstop of the table itself: an error for the buyer, and never a unit too many."""
    monkeypatch.setattr(inventory, "_take", _without_condition)
    product = ProductFactory(stock=1)
    answers: list[Any] = [post_order(client, {product.slug: 1}) for client in buyers(3)]
    assert [answer.status_code for answer in answers] == [201, 500, 500]
    assert invariants.breaches() == []

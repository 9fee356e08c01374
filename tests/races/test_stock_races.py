"""Many buyers of few units, each guard with the control that lacks it."""

from collections import Counter
from typing import Any

import pytest

from config import invariants
from shop.inventory import services as inventory
from shop.inventory.models import Stock
from shop.models import Order
from tests.factories.shop import ProductFactory
from tests.races.parallel import (
    buyers,
    each_order_alone,
    in_parallel,
    post_order,
    read_before_the_write,
)
from tests.sizes import sized

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_stripe")]

BUYERS, UNITS = sized(50, 300), sized(20, 120)


@pytest.fixture(params=["together", "apart"])
def company(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Orders in groups, as in one process; or each alone, as if each had its own process."""
    if request.param == "apart":
        each_order_alone(monkeypatch)


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


@pytest.mark.proof(
    "Flash sale: the last unit",
    size="200 buyers, 1 unit",
    control="test_control_a_read_before_the_write_sells_the_last_unit_often",
    runs=20,
)
@pytest.mark.usefixtures("company")
def test_one_of_200_buyers_gets_the_last_unit() -> None:
    statuses, stock = rush(stock=1, quantities=[1] * 200)
    assert statuses == {201: 1, 409: 199}
    assert (stock.on_hand, stock.held) == (1, 1)
    assert Order.objects.count() == 1
    assert invariants.breaches() == []


@pytest.mark.proof(
    "Flash sale: mixed quantities",
    size=f"{BUYERS} buyers of 1-3, {UNITS} units",
    control="test_control_a_read_before_the_write_sells_the_last_unit_often",
    runs=20,
)
@pytest.mark.usefixtures("company")
def test_few_units_meet_many_buyers_of_one_to_three() -> None:
    wanted = [1 + number % 3 for number in range(BUYERS)]
    statuses, stock = rush(stock=UNITS, quantities=wanted)
    assert set(statuses) == {201, 409}
    # The last one refused wanted at most three: more than two units cannot be left over.
    assert UNITS - 2 <= stock.held <= UNITS
    assert invariants.breaches() == []


def test_control_a_read_before_the_write_sells_the_last_unit_often(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read_before_the_write(monkeypatch)
    statuses, _ = rush(stock=1, quantities=[1] * 30)
    assert statuses[201] > 1
    assert any("live holds" in line for line in invariants.breaches())


def _without_condition(product_id: int, quantity: int, *, sold: bool = False) -> bool:
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

"""The assignment's coins: there, repeatable, and taken back without hurting anything."""

import pytest

from payments.exchange.models import ExchangeCurrency, ExchangeOrder, ExchangePool
from tests.factories.exchange import buy, rich, seed
from tests.factories.seeds import apps

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("venue")]


@pytest.fixture(autouse=True)
def _seeded(db: None) -> None:
    seed.add(apps, None)


def test_the_two_coins_of_the_assignment_are_there_at_their_prices() -> None:
    rows = ExchangeCurrency.objects.values_list("symbol", "price", "minimum")
    assert {("BTC", 67 * 10**18, 1000), ("ABAN", 4 * 10**18, 1000)} <= set(rows)
    assert ExchangePool.objects.count() == ExchangeCurrency.objects.count()


def test_a_second_run_adds_nothing_and_changes_no_price() -> None:
    ExchangeCurrency.objects.filter(symbol="BTC").update(price=1)
    before = list(ExchangeCurrency.objects.values())
    seed.add(apps, None)
    assert list(ExchangeCurrency.objects.values()) == before


def test_going_back_removes_what_nobody_has_ordered_or_repriced() -> None:
    buy(rich(10_00), "ABAN", "1")
    seed.remove(apps, None)
    assert list(ExchangeCurrency.objects.values_list("symbol", flat=True)) == ["ABAN"]
    assert ExchangeOrder.objects.count() == 1


def test_going_back_leaves_a_coin_with_another_price() -> None:
    ExchangeCurrency.objects.filter(symbol="BTC").update(price=1)
    seed.remove(apps, None)
    assert list(ExchangeCurrency.objects.values_list("symbol", flat=True)) == ["BTC"]

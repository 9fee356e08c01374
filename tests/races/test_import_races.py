"""Imports beside each other, beside buyers and counts: nothing is lost, nobody meets a 500."""

import time
from collections.abc import Collection
from typing import Any

import pytest

from common.errors import Busy
from config import invariants
from shop.imports import services
from shop.imports.errors import CarriedOutBefore
from shop.imports.models import ProductImport
from shop.imports.serializers import sheet_of
from shop.inventory import locks
from shop.inventory import services as inventory
from shop.models import Product, Stock
from tests.factories.shop import ProductFactory
from tests.factories.users import StaffFactory
from tests.races.parallel import buyers, in_parallel, post_order

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_stripe")]

GOODS = 6


def take(text: str) -> Any:
    raw = text.encode()
    return services.products_import(
        sheet=sheet_of(raw, most=1000),
        file=services.File("a.csv", raw),
        dry_run=False,
        actor_id=None,
    )


def goods(stock: int) -> list[Product]:
    return [ProductFactory(stock=stock) for _ in range(GOODS)]


def stocks(products: list[Product]) -> Any:
    return Stock.objects.filter(product__in=products)


def received(products: list[Product], count: int) -> str:
    rows = "".join(f"{product.sku},{count}\n" for product in products)
    return f"sku,stock_delta\n{rows}"


def counted_at_once(products: list[Product]) -> None:
    """Two imports in opposite order and a dozen deliveries, of the same products."""

    def delivered(product: Product) -> Any:
        return inventory.stock_adjust(product_id=product.pk, delta=1, reason="found", actor_id=None)

    calls = [lambda: take(received(products, 10)), lambda: take(received(products[::-1], 10))]
    calls += [lambda p=product: delivered(p) for product in products * 2]
    answers = in_parallel(calls)
    assert [a for a in answers if isinstance(a, Exception) and not isinstance(a, Busy)] == []


@pytest.mark.proof(
    "Imports and counts at once",
    size="2 imports in opposite order, 12 deliveries",
    control="test_control_without_the_lock_units_are_lost",
)
def test_units_that_come_in_at_the_same_moment_are_all_there() -> None:
    products = goods(0)
    counted_at_once(products)
    assert set(stocks(products).values_list("on_hand", flat=True)) == {22}
    assert invariants.breaches() == []


def test_control_without_the_lock_units_are_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    def unlocked(ids: Collection[int]) -> list[Stock]:
        found = list(Stock.objects.filter(pk__in=ids).order_by("pk"))
        time.sleep(0.5)
        return found

    monkeypatch.setattr(locks, "stocks", unlocked)
    counted_at_once(goods(0))
    assert invariants.breaches() != []


def carried_out_by_two(product: Product) -> list[Any]:
    """One file that was checked, carried out by two members of staff at the same moment."""
    raw = f"sku,stock_delta\n{product.sku},5\n".encode()
    sheet, staff = sheet_of(raw, most=10), [StaffFactory().pk for _ in range(2)]
    trial = services.products_import(
        sheet=sheet, file=services.File("a.csv", raw), dry_run=True, actor_id=staff[0], keep=True
    )

    def carry_out(actor_id: int) -> Any:
        file = services.File("a.csv", raw, trial=trial.uid)
        return services.products_import(sheet=sheet, file=file, dry_run=False, actor_id=actor_id)

    return in_parallel([lambda pk=pk: carry_out(pk) for pk in staff])


def test_two_members_of_staff_carry_one_file_out_once() -> None:
    product = ProductFactory(stock=0)
    answers = carried_out_by_two(product)
    assert sum(isinstance(answer, CarriedOutBefore) for answer in answers) == 1
    made = next(answer for answer in answers if isinstance(answer, ProductImport))
    assert Stock.objects.get(product=product).on_hand == 5
    trial = ProductImport.objects.get(dry_run=True)
    assert trial.carried_out_by_id == made.actor_id
    assert trial.carried_out_at is not None


def test_control_without_the_trials_row_the_file_is_carried_out_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(services, "_carry_out", lambda *_: None)
    product = ProductFactory(stock=0)
    carried_out_by_two(product)
    assert Stock.objects.get(product=product).on_hand == 10


def test_two_imports_of_the_same_new_products_make_each_once() -> None:
    text = "sku,name,description,price\n" + "".join(f"S-{n},Desk {n},,1.00\n" for n in range(20))
    answers = in_parallel([lambda: take(text)] * 4)
    assert [a for a in answers if isinstance(a, Exception) and not isinstance(a, Busy)] == []
    made = Product.objects.filter(sku__startswith="S-")
    assert made.count() == stocks(list(made)).count() == 20
    assert sum(a.created for a in answers if not isinstance(a, Exception)) == 20
    assert invariants.breaches() == []


def test_buyers_and_an_import_wait_for_each_other_and_both_get_theirs() -> None:
    products = goods(50)
    wanted = {product.slug: 1 for product in products}
    prices = "".join(f"{product.sku},12.00,60\n" for product in products[::-1])
    clients = buyers(6)
    calls: list[Any] = [lambda: take(f"sku,price,on_hand\n{prices}")]
    calls += [lambda c=client: post_order(c, wanted) for client in clients]
    done, *answers = in_parallel(calls)
    assert not isinstance(done, Exception), done
    assert {answer.status_code for answer in answers} == {201}
    rows = set(stocks(products).values_list("on_hand", "held"))
    assert rows == {(60, 6)}
    assert invariants.breaches() == []

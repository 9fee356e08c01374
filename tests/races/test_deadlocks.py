"""Two products in opposite order, and rows that are held for too long."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import OperationalError, connection, connections, transaction

from common import db
from common.idempotency.models import IdempotencyRecord
from config import invariants
from payments.checkout.services import placing as checkout
from shop.inventory import services as inventory
from shop.inventory.models import Stock
from shop.models import Order, OrderLine, Product, StockHold
from shop.orders import services as orders
from tests.factories.shop import ProductFactory
from tests.factories.users import UserFactory
from tests.races.parallel import buyers, each_order_alone, in_parallel, post_order

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_stripe")]

PAIRS = 8
ROUNDS = 5


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The error numbers of MySQL that a transaction met, retried or not."""
    numbers: list[int] = []
    retryable = db.is_retryable

    def recorded(error: OperationalError) -> bool:
        numbers.append(error.args[0])
        return retryable(error)

    monkeypatch.setattr(db, "is_retryable", recorded)
    return numbers


def crossing(monkeypatch: pytest.MonkeyPatch) -> Counter[int]:
    """Orders of (a, b) meet orders of (b, a), again and again: the statuses answered."""
    each_order_alone(monkeypatch)
    a, b = ProductFactory(stock=1000).slug, ProductFactory(stock=1000).slug
    clients = buyers(2 * PAIRS)

    def keep_ordering(number: int) -> list[int]:
        lines = {a: 1, b: 1} if number % 2 else {b: 1, a: 1}
        return [post_order(clients[number], lines).status_code for _ in range(ROUNDS)]

    answers = in_parallel([lambda n=n: keep_ordering(n) for n in range(2 * PAIRS)])
    return Counter(status for statuses in answers for status in statuses)


def _hold_in_given_order(made: Sequence[Order], *, paid: bool) -> None:
    for line in OrderLine.objects.filter(order__in=made).order_by("pk"):
        assert inventory._take(line.product_id, line.quantity)
        time.sleep(0.02)
        StockHold.objects.create(stock_id=line.product_id, order_line=line, quantity=line.quantity)


@pytest.mark.proof(
    "Two products in opposite order",
    size=f"{2 * PAIRS} buyers, {ROUNDS} orders each",
    control="test_control_without_order_and_retry_deadlocks_reach_the_buyer",
    runs=20,
)
def test_orders_of_two_products_in_opposite_order_all_succeed(
    seen: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert crossing(monkeypatch) == {201: 2 * PAIRS * ROUNDS}
    assert seen == []
    assert invariants.breaches() == []


@pytest.mark.proof(
    "Deadlocks are run again",
    size=f"{2 * PAIRS} buyers, {ROUNDS} orders each",
    control="test_control_without_order_and_retry_deadlocks_reach_the_buyer",
    runs=20,
)
def test_deadlocks_are_run_again_until_they_succeed(
    seen: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orders, "orders_take_stock", _hold_in_given_order)
    statuses = crossing(monkeypatch)
    assert 1213 in seen
    # Five attempts may not be enough where every order deadlocks; then 503, and nothing stored.
    assert set(statuses) <= {201, 503}
    assert statuses[201] == Order.objects.count()
    assert invariants.breaches() == []


def test_control_without_order_and_retry_deadlocks_reach_the_buyer(
    seen: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orders, "orders_take_stock", _hold_in_given_order)
    monkeypatch.setattr(db, "ATTEMPTS", 1)
    statuses = crossing(monkeypatch)
    assert 1213 in seen
    assert statuses[503] > 0
    assert invariants.breaches() == []


@contextmanager
def held(product: Product) -> Iterator[Callable[[], None]]:
    """Somebody else has the stock row, until the block ends or the yielded call is made."""
    has_it, let_go = threading.Event(), threading.Event()

    def hold() -> None:
        try:
            with transaction.atomic():
                Stock.objects.select_for_update().get(pk=product.pk)
                has_it.set()
                let_go.wait(120)
        finally:
            connections.close_all()

    holder = threading.Thread(target=hold)
    holder.start()
    try:
        assert has_it.wait(120)
        yield let_go.set
    finally:
        let_go.set()
        holder.join()


def impatient() -> None:
    """This connection waits one second for a row; production waits ten."""
    with connection.cursor() as cursor:
        cursor.execute("SET SESSION innodb_lock_wait_timeout = 1")


def test_a_row_held_for_too_long_is_503_and_nothing_is_stored(seen: list[int]) -> None:
    product, client = ProductFactory(stock=5), buyers(1)[0]
    impatient()
    with held(product):
        answer = post_order(client, {product.slug: 1}, **{"Idempotency-Key": "patience"})
    assert (answer.status_code, answer.json()["code"]) == (503, "busy")
    assert int(answer.headers["Retry-After"]) >= 1
    assert seen == [1205] * db.ATTEMPTS
    assert not Order.objects.exists()
    assert not IdempotencyRecord.objects.exists()
    # The key is free again: the same call goes through once the row is.
    again = post_order(client, {product.slug: 1}, **{"Idempotency-Key": "patience"})
    assert again.status_code == 201
    assert invariants.breaches() == []
    connection.close()


def place_while_held(monkeypatch: pytest.MonkeyPatch) -> int:
    """The first attempt runs into 1205, the row is let go, the next succeeds; orders stored."""
    product, user = ProductFactory(stock=5), UserFactory()
    impatient()
    with held(product) as let_go:
        monkeypatch.setattr(db, "_pause", lambda attempt: let_go())
        checkout.order_place(user_id=user.pk, quantities={product.slug: 1}, method="stripe")
    connection.close()
    return Order.objects.count()


@pytest.mark.proof(
    "A row held past the lock wait",
    size="1205 once, then free",
    control="test_control_run_again_without_a_rollback_the_first_attempt_stays",
)
def test_a_lock_wait_timeout_rolls_the_whole_transaction_back(
    seen: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert place_while_held(monkeypatch) == 1
    assert seen == [1205]
    assert invariants.breaches() == []


def test_control_run_again_without_a_rollback_the_first_attempt_stays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """1205 undoes one statement only: what the first attempt wrote before it is still there."""
    place = checkout._place.__wrapped__  # type: ignore[attr-defined]

    def without_rollback(wishes: Any) -> Any:
        with transaction.atomic():
            try:
                return place(wishes)
            except OperationalError:
                # What Django forbids, MySQL lets pass.
                transaction.set_rollback(False)
                db._pause(0)
                return place(wishes)

    monkeypatch.setattr(checkout, "_place", without_rollback)
    assert place_while_held(monkeypatch) == 2
    assert any("holds nothing" in line for line in invariants.breaches())

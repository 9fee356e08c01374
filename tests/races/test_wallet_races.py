"""One wallet, many buyers at its till; refunds, disputes and checks at the same moment."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from accounts.ledger.rules import Kind, customer, house, move
from accounts.ledger.selectors import balances_of
from accounts.ledger.services import transfer_post
from config import invariants
from payments.intake import services as machine
from payments.intake.models import Payment, Refund
from payments.intake.rules import Destination
from shop.inventory.models import Stock
from tests.factories.shop import ProductFactory
from tests.factories.users import UserFactory, client_for
from tests.races.parallel import in_parallel, paid_order, quiet

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_stripe")]


def rich(cents: int) -> Any:
    user = UserFactory()
    clearing = house(Kind.STRIPE_CLEARING, "USD")
    entries = move(cents, debit=clearing, credit=customer(user.pk, "USD"))
    transfer_post(reference=f"gift:{user.pk}", kind="deposit", entries=entries)
    return user


def pay(client: Any, slug: str) -> Any:
    body = {"lines": [{"product": slug, "quantity": 1}], "payment": {"method": "wallet"}}
    return client.post("/api/v1/orders/", body, format="json")


@pytest.mark.proof(
    "One wallet, many orders",
    size="40 in parallel, money for 10",
    control="tests/races/test_ledger_races.py"
    "::test_control_without_the_lock_the_cache_and_the_postings_part",
    runs=20,
)
def test_of_40_orders_of_10_from_100_exactly_10_are_paid() -> None:
    product, user = ProductFactory(stock=100, list_price=1000), rich(10_000)
    client = quiet(client_for(user))
    answers = in_parallel([lambda: pay(client, product.slug)] * 40)
    assert Counter(answer.status_code for answer in answers) == {201: 10, 409: 30}
    assert {a.json()["code"] for a in answers if a.status_code == 409} == {"insufficient_funds"}
    assert balances_of(user.pk)[0]["available"] == 0
    stock = Stock.objects.get(pk=product.pk)
    assert (stock.on_hand, stock.held) == (90, 0)


@pytest.mark.proof(
    "Refunds of 60 % into the wallet",
    size="20 in parallel",
    control="tests/races/test_settlement.py"
    "::test_control_without_the_payment_lock_several_refunds_are_taken",
    runs=20,
)
def test_refunds_into_the_wallet_stay_within_what_came_in() -> None:
    payment = paid_order().payment

    def refund() -> Refund:
        return machine.refund_request(
            payment_id=payment.pk,
            amount=payment.amount * 6 // 10,
            lines={},
            restock=False,
            reason="race",
            actor_id=None,
            destination=Destination.WALLET,
        )

    answers = in_parallel([refund] * 20)
    assert Counter(type(answer).__name__ for answer in answers) == {
        "Refund": 1,
        "RefundExceedsCaptured": 19,
    }
    assert balances_of(payment.user_id)[0]["available"] == payment.amount * 6 // 10
    assert invariants.breaches() == []


def test_a_dispute_told_by_twenty_is_one_dispute() -> None:
    payment = paid_order().payment

    def tell() -> bool:
        return machine.dispute_open(
            payment_id=payment.pk, reference="stripe:dp_1", amount=payment.amount, reason="fraud"
        )

    assert Counter(in_parallel([tell] * 20)) == {True: 1, False: 19}

    def close(*, won: bool) -> bool:
        return machine.dispute_close(reference="stripe:dp_1", won=won)

    calls = [lambda n=n: close(won=bool(n % 2)) for n in range(20)]
    assert Counter(in_parallel(calls)) == {True: 1, False: 19}
    assert Payment.objects.get().status in ("succeeded", "reversed")
    assert invariants.breaches() == []


@pytest.fixture
def busy() -> Iterator[threading.Event]:
    """Payments are made in the background until the test ends."""
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            paid_order()

    background = threading.Thread(target=lambda: in_parallel([work] * 3))
    background.start()
    yield stop
    stop.set()
    background.join(120)


def slow_down(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each check waits before it reads, so that much is written between two of them."""

    def waiting(check: invariants.Check) -> invariants.Check:
        def run() -> Iterator[str]:
            time.sleep(0.05)
            yield from check()

        return run

    monkeypatch.setattr(invariants, "CHECKS", tuple(waiting(c) for c in invariants.CHECKS))


@pytest.mark.proof(
    "Invariants checked in the middle of a sale",
    size="5 checks, 3 buyers",
    control="test_control_without_the_snapshot_they_look_like_breaches",
    runs=20,
)
@pytest.mark.usefixtures("busy")
def test_payments_under_way_are_no_breach(monkeypatch: pytest.MonkeyPatch) -> None:
    slow_down(monkeypatch)
    assert [invariants.breaches() for _ in range(5)] == [[]] * 5


@pytest.mark.usefixtures("busy")
def test_control_without_the_snapshot_they_look_like_breaches(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slow_down(monkeypatch)
    monkeypatch.setattr(invariants, "_next_transaction_is_a_snapshot", lambda: None)
    assert any(invariants.breaches() for _ in range(10))

"""Several watchers at once, and coins that arrive while everybody looks: each is counted once."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import pytest
from django.db import connection, connections
from django.db.utils import OperationalError

from config import invariants
from payments.chain import gateway
from payments.chain.node import services as node
from payments.chain.rules.transfers import Transfer
from payments.crypto import locks, services
from payments.crypto.models import Credit, Invoice, Scan, ScannedBlock
from payments.crypto.services import watcher
from payments.intake.models import Payment, PaymentEvent
from tests.factories.chain import ETHER, Person, in_process
from tests.factories.market import priced
from tests.races.parallel import in_parallel, order_of_one
from tests.sizes import sized

pytestmark = pytest.mark.django_db(transaction=True)
WATCHERS, ORDERS = 6, sized(5, 40)


@pytest.fixture(autouse=True)
def _chain(real_mysql: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway, "_post", lambda body: in_process(body)[1])
    priced("ethereum", "2000")
    node.chain_ensure()


def paid_by_chain() -> list[Payment]:
    """Orders whose coins are deep enough and that nobody has looked at."""
    payments = [order_of_one(method="crypto").payment for _ in range(ORDERS)]
    services.watch()
    for number, payment in enumerate(payments):
        payer = Person(7000 + number)
        node.balance_set(address=payer.address.lower(), wei=10 * ETHER)
        to, amount = payment.invoice.address, payment.invoice.amount
        node.transaction_send(payer.pays(to, value=amount).raw)
    node.blocks_mine(count=3)
    return payments


def watched_by_all() -> list[Any]:
    return [r for r in in_parallel([services.watch] * WATCHERS) if isinstance(r, Exception)]


def captures() -> int:
    return PaymentEvent.objects.filter(kind="captured").count()


@pytest.mark.proof(
    "Crypto: several watchers read the same blocks at once",
    size=f"{WATCHERS} watchers, {ORDERS} payments",
    control="test_control_without_the_lock_and_the_key_coins_are_counted_twice",
)
def test_each_transfer_is_counted_once_whoever_saw_it() -> None:
    payments = paid_by_chain()
    assert watched_by_all() == []
    services.watch()
    assert Credit.objects.count() == captures() == ORDERS
    found = Payment.objects.filter(pk__in=[p.pk for p in payments])
    assert set(found.values_list("status", flat=True)) == {"succeeded"}
    assert invariants.breaches() == []


@contextmanager
def no_unique_key() -> Iterator[None]:
    key = next(c for c in Credit._meta.constraints if c.name == "credit_once")
    with connection.schema_editor() as editor:
        editor.remove_constraint(Credit, key)
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM payments_creditshare")
            cursor.execute("DELETE FROM payments_credit")
        with connection.schema_editor() as editor:
            editor.add_constraint(Credit, key)


def test_control_without_the_lock_and_the_key_coins_are_counted_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whoever has read a block writes it, whatever others wrote meanwhile."""

    class Always:
        """A scan that is always where the reader began, as if nobody had moved it."""

        def __eq__(self, other: object) -> bool:
            return True

        __hash__ = None  # type: ignore[assignment]

    def unlocked(chain_id: int) -> Scan:
        found = Scan.objects.get(chain_id=chain_id)
        found.number, found.hash = Always(), Always()  # type: ignore[assignment]
        return found

    def made_anew(**how: Any) -> tuple[Credit, bool]:
        defaults = how.pop("defaults")
        return Credit.objects.create(**how, **defaults), True

    paid_by_chain()
    monkeypatch.setattr(locks, "scan", unlocked)
    monkeypatch.setattr(Credit.objects, "get_or_create", made_anew)
    # Blocks are written once by a key of their own; this is about credits.
    monkeypatch.setattr(ScannedBlock.objects, "bulk_create", list)
    with no_unique_key():
        with suppress(OperationalError):
            watched_by_all()
        assert Credit.objects.count() > ORDERS


@pytest.mark.proof(
    "Crypto: a reorg while payments are being decided",
    size=f"{ORDERS} payments, {WATCHERS} watchers",
    control="tests/services/test_crypto_odd.py::test_control_without_walking_back_coins_stay_counted",
)
def test_a_reorg_in_the_middle_leaves_every_coin_counted_once() -> None:
    payments = paid_by_chain()
    calls = [*[services.watch] * WATCHERS, partial(node.chain_reorg, 2)]
    results = [r for r in in_parallel(calls) if isinstance(r, Exception)]
    assert results == []
    node.blocks_mine(count=4)
    for _ in range(3):
        services.watch()
    assert Credit.objects.filter(active=True).count() == captures() == ORDERS
    found = Payment.objects.filter(pk__in=[p.pk for p in payments])
    assert set(found.values_list("status", flat=True)) == {"succeeded"}
    assert invariants.breaches() == []


def marked_after_a_decision(monkeypatch: pytest.MonkeyPatch) -> tuple[bool, int]:
    """Coins that are written while others of the same invoice are being decided.

    Whether the invoice is to be looked at again, and how many credits nobody has counted.
    """
    payment = order_of_one(method="crypto").payment
    services.watch()
    paid_twice = [_transfer(payment.invoice, digit) for digit in "ab"]
    watcher.credits_write(paid_twice[:1])
    node.blocks_mine(count=3)
    Scan.objects.update(number=4)
    other = threading.Thread(target=_write, args=(paid_twice[1:],))
    read = locks.credits

    def read_before(invoice_id: int) -> list[Credit]:
        found = read(invoice_id)
        other.start()
        # Where nothing keeps it out it has ended by then.
        other.join(1.0)
        return found

    with monkeypatch.context() as patch:
        patch.setattr(locks, "credits", read_before)
        services.invoice_decide(payment_id=payment.pk)
    other.join()
    uncounted = Credit.objects.filter(invoice=payment.pk, counted_at=None)
    return Invoice.objects.get(pk=payment.pk).open, uncounted.count()


def _transfer(invoice: Invoice, digit: str) -> Transfer:
    return Transfer(
        tx_hash="0x" + digit * 64,
        ordinal=-1,
        token=None,
        sender=Person(8).address,
        to=invoice.address,
        amount=invoice.amount,
        block_number=1,
        block_hash="0x" + "1" * 64,
    )


def _write(found: list[Transfer]) -> None:
    try:
        watcher.credits_write(found)
    finally:
        connections.close_all()


@pytest.mark.proof(
    "Crypto: coins that come while others of the same invoice are decided",
    size="2 transfers",
    control="test_control_without_the_invoices_lock_nobody_looks_at_them_again",
)
def test_coins_that_come_beside_a_decision_are_decided_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert marked_after_a_decision(monkeypatch) == (True, 1)


def test_control_without_the_invoices_lock_nobody_looks_at_them_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(locks, "invoice", lambda key: Invoice.objects.get(pk=key))
    assert marked_after_a_decision(monkeypatch) == (False, 1)

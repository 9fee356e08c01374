"""Several transactions with one nonce at once: the mock chain takes one."""

from collections import Counter
from functools import partial
from typing import Any

import pytest

from payments.chain.node import locks, services
from payments.chain.node.errors import RpcError
from payments.chain.node.models import MockHead, MockTransaction
from tests.factories.chain import ETHER, Person
from tests.races.parallel import in_parallel

pytestmark = pytest.mark.django_db(transaction=True)
BUYER, SHOP = Person(51), Person(52).address
PARALLEL = 8
EXPECTED = {"taken": 1, "replacement transaction underpriced": PARALLEL - 1}


def answers_to_one_nonce() -> Counter[str]:
    """What callers are told who send different transactions with the same nonce and fees."""
    services.chain_ensure()
    services.balance_set(address=BUYER.address.lower(), wei=1000 * ETHER)
    sent = [BUYER.pays(SHOP, value=1 + number) for number in range(PARALLEL)]

    def send(raw: bytes) -> str:
        try:
            services.transaction_send(raw)
        except RpcError as error:
            return error.message
        return "taken"

    results = in_parallel([partial(send, one.raw) for one in sent])
    return Counter(one if isinstance(one, str) else type(one).__name__ for one in results)


@pytest.mark.proof(
    "several transactions of one nonce reach the mock chain at once",
    size=f"{PARALLEL} callers",
    control="test_control_without_the_lock_the_others_are_told_of_a_fault",
)
def test_one_transaction_of_a_nonce_is_taken() -> None:
    assert answers_to_one_nonce() == EXPECTED
    assert MockTransaction.objects.count() == 1


def test_control_without_the_lock_the_others_are_told_of_a_fault(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The place looks free to several: MySQL's unique key is what keeps them out."""

    def unlocked() -> Any:
        return MockHead.objects.get(pk=1)

    monkeypatch.setattr(locks, "head", unlocked)
    found = answers_to_one_nonce()
    assert found != EXPECTED
    assert found["IntegrityError"] > 0


def test_blocks_and_payments_at_once_leave_one_chain() -> None:
    services.chain_ensure()
    people = [Person(60 + number) for number in range(4)]
    for one in people:
        services.balance_set(address=one.address.lower(), wei=10 * ETHER)
    sends = [partial(services.transaction_send, one.pays(SHOP).raw) for one in people]
    results = in_parallel([*sends, *[services.blocks_mine] * 4])
    assert [one for one in results if isinstance(one, Exception)] == []
    services.blocks_mine()
    assert MockHead.objects.get().number == 5
    assert MockTransaction.objects.exclude(block=None).count() == 4

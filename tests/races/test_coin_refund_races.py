"""Refunds in coins at once: each has a nonce of its own."""

from functools import partial
from typing import Any

import pytest

from payments.crypto import locks
from payments.crypto.models import CoinRefund, CoinRefundAttempt, HotAccount
from payments.crypto.services import refund_send, refunds_follow
from payments.intake.models import Refund
from tests.factories.chain import Node
from tests.factories.coins import BUYER, HOT, ask_back, chain, paid_in_coins
from tests.races.parallel import in_parallel

__all__ = ["chain"]
pytestmark = pytest.mark.django_db(transaction=True)
REFUNDS, THREADS = 8, 4


def send_all() -> list[Any]:
    """What each thread's sends came to; each thread has two refunds of different payments."""
    refunds = [ask_back(paid_in_coins()) for _ in range(REFUNDS)]

    def send(mine: list[Refund]) -> list[str]:
        return [_sent(refund) for refund in mine]

    calls = [partial(send, refunds[number::THREADS]) for number in range(THREADS)]
    return [one for found in in_parallel(calls) for one in found]


def _sent(refund: Refund) -> str:
    try:
        refund_send(refund_id=refund.pk)
    except Exception as error:
        return type(error).__name__
    return "sent"


@pytest.mark.proof(
    "refunds in coins are signed at once",
    size=f"{REFUNDS} refunds, {THREADS} threads",
    control="test_control_without_the_hot_accounts_lock_two_take_one_nonce",
)
def test_refunds_at_once_have_nonces_of_their_own(chain: Node) -> None:
    assert send_all() == ["sent"] * REFUNDS
    nonces = CoinRefund.objects.order_by("nonce").values_list("nonce", flat=True)
    assert list(nonces) == list(range(REFUNDS))
    assert HotAccount.objects.get().next_nonce == REFUNDS
    chain.mine(12)
    assert refunds_follow() == REFUNDS
    assert chain.nonce(HOT) == REFUNDS
    assert chain.balance(BUYER) == sum(CoinRefund.objects.values_list("amount", flat=True))


def test_control_without_the_hot_accounts_lock_two_take_one_nonce(
    chain: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MySQL's unique key is what keeps the second one out."""

    def unlocked(chain_id: int, address: str) -> HotAccount:
        return HotAccount.objects.get_or_create(chain_id=chain_id, address=address)[0]

    HotAccount.objects.create(chain_id=31337, address=HOT)
    monkeypatch.setattr(locks, "hot_account", unlocked)
    assert "IntegrityError" in send_all()


@pytest.mark.proof(
    "one refund in coins is sent and followed by several",
    size=f"{THREADS} of each",
    control="test_control_without_the_refunds_lock_it_is_signed_more_than_once",
)
def test_one_refund_sent_and_followed_by_several_goes_once(chain: Node) -> None:
    refund = ask_back(paid_in_coins())
    in_parallel([partial(refund_send, refund_id=refund.pk)] * THREADS)
    assert CoinRefundAttempt.objects.count() == 1
    chain.mine(12)
    ended = in_parallel([refunds_follow] * THREADS)
    assert sorted(ended) == [0] * (THREADS - 1) + [1]
    refund.refresh_from_db()
    assert refund.status == "succeeded"
    assert chain.balance(BUYER) == refund.payment.invoice.amount


def test_control_without_the_refunds_lock_it_is_signed_more_than_once(
    chain: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    refund = ask_back(paid_in_coins())
    monkeypatch.setattr(locks, "coin_refund", lambda pk: CoinRefund.objects.get(pk=pk))
    in_parallel([partial(refund_send, refund_id=refund.pk)] * THREADS)
    assert CoinRefundAttempt.objects.count() > 1

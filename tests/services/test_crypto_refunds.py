"""Coins that go back: exact, once, whatever the chain and the network do meanwhile."""

from typing import Any

import pytest
from django.db.models.functions import Now

from payments.chain import gateway
from payments.chain.errors import Unreachable
from payments.crypto.errors import (
    CoinsTakenBack,
    HotAccountEmpty,
    HotKeyMissing,
    OtherChain,
    Reverts,
)
from payments.crypto.models import (
    CoinRefund,
    CoinRefundAttempt,
    Credit,
    CreditShare,
    HotAccount,
)
from payments.crypto.services import refund_send, refunds_follow
from tests.factories.chain import ETHER, TOKEN, Node
from tests.factories.coins import (
    BUYER,
    HOT,
    after_blocks,
    ask_back,
    carried_out,
    chain,
    counted,
    hashes,
    invoiced,
    paid_in_coins,
    sent,
)
from tests.factories.orders import own_rollbacks, settled

__all__ = ["chain", "own_rollbacks", "settled"]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_rollbacks", "settled")]


def test_a_whole_refund_sends_every_wei(chain: Node) -> None:
    payment = invoiced()
    odd = 8_526_348_377_563_428_113
    counted(payment, odd, 2000)
    assert carried_out(chain, ask_back(payment)).status == "succeeded"
    assert chain.balance(BUYER) == odd
    payment.refresh_from_db()
    assert (payment.status, payment.refunded, payment.refund_pending) == ("refunded", 2000, 0)


@pytest.mark.parametrize("token", ["ETH", "USDC"])
def test_three_parts_add_up_to_all_that_came(chain: Node, token: str) -> None:
    payment = paid_in_coins(3333, token=token, rate="1.0007" if token == "USDC" else "2345.67")
    for cents in (1, 1111, None):
        assert carried_out(chain, ask_back(payment, cents)).status == "succeeded"
    there = chain.tokens(BUYER) if token == "USDC" else chain.balance(BUYER)
    assert there == payment.invoice.amount
    assert list(CoinRefund.objects.order_by("pk").values_list("nonce", flat=True)) == [0, 1, 2]


def test_a_refund_is_followed_until_it_is_deep_and_not_before(chain: Node) -> None:
    refund = ask_back(paid_in_coins(150_00), 120_00)
    refund_send(refund_id=refund.pk)
    assert refunds_follow() == 0
    # Up to 1,000 dollars six.
    for _ in range(5):
        assert after_blocks(chain, 1) == 0
    assert after_blocks(chain, 1) == 1
    refund.refresh_from_db()
    assert refund.status == "succeeded"
    assert refunds_follow() == 0


def test_what_came_too_much_goes_back_as_it_came(chain: Node) -> None:
    payment = paid_in_coins()
    more = counted(payment, 123_456_789_012_345_677, 28_958)
    refund = payment.refunds.get()
    assert (refund.destination, refund.to_address) == ("original", BUYER)
    carried_out(chain, refund)
    assert chain.balance(BUYER) == more.amount
    payment.refresh_from_db()
    assert (payment.status, payment.captured, payment.refunded) == ("succeeded", 30_958, 28_958)


def test_two_tokens_go_back_as_two_transfers(chain: Node) -> None:
    payment = invoiced(2000, token="USDC", rate="1")
    counted(payment, 10_000_001, 1000)
    counted(payment, 4_262_957_193_991_313, 1000, token="ETH")
    refund = ask_back(payment)
    refund_send(refund_id=refund.pk)
    chain.mine()
    refund.refresh_from_db()
    assert (refunds_follow(), refund.status) == (0, "pending")
    assert after_blocks(chain) == 2
    refund.refresh_from_db()
    assert refund.status == "succeeded"
    assert (chain.balance(BUYER), chain.tokens(BUYER)) == (4_262_957_193_991_313, 10_000_001)


def test_what_the_wallet_took_does_not_go_to_the_chain(chain: Node) -> None:
    payment = paid_in_coins()
    ask_back(payment, 500, to="")
    carried_out(chain, ask_back(payment))
    all_units = payment.invoice.amount
    assert chain.balance(BUYER) == all_units - all_units * 500 // 2000
    shares = CreditShare.objects.values_list("units", "value")
    assert [sum(column) for column in zip(*shares, strict=True)] == [all_units, 2000]


def test_coins_worth_no_cent_go_with_the_last_cent(chain: Node) -> None:
    payment = paid_in_coins()
    other = Credit.objects.get()
    dust = Credit.objects.create(
        invoice=payment.invoice,
        chain_id=other.chain_id,
        tx_hash="0x" + "cd" * 32,
        ordinal=-1,
        token="ETH",
        amount=7,
        block_number=1,
        block_hash=other.block_hash,
        value=0,
        counted_at=other.counted_at,
    )
    carried_out(chain, ask_back(payment, 1999))
    assert chain.balance(BUYER) == payment.invoice.amount * 1999 // 2000
    carried_out(chain, ask_back(payment))
    assert chain.balance(BUYER) == payment.invoice.amount + dust.amount


def test_a_transfer_that_fails_in_its_block_moves_nothing_and_frees_its_share(
    chain: Node,
) -> None:
    payment = paid_in_coins()
    refund = ask_back(payment)
    refund_send(refund_id=refund.pk)
    assert chain("mockchain_failTransaction", hashes(sent(refund))[0])
    assert after_blocks(chain) == 1
    refund.refresh_from_db()
    assert (refund.status, chain.balance(BUYER)) == ("failed", 0)
    assert refunds_follow() == 0
    assert carried_out(chain, ask_back(payment)).status == "succeeded"
    assert chain.balance(BUYER) == payment.invoice.amount


def test_of_two_tokens_the_one_that_failed_is_sent_anew(chain: Node, drain: Any) -> None:
    payment = invoiced(2000, token="USDC", rate="1")
    counted(payment, 10_000_000, 1000)
    counted(payment, 10**15, 1000, token="ETH")
    refund = ask_back(payment)
    drain()
    _, tokens = CoinRefund.objects.order_by("token")
    assert chain("mockchain_failTransaction", hashes(tokens)[0])
    after_blocks(chain)
    tokens.refresh_from_db()
    assert (tokens.nonce, tokens.failed) == (None, False)
    drain()
    after_blocks(chain)
    refund.refresh_from_db()
    assert refund.status == "succeeded"
    assert (chain.balance(BUYER), chain.tokens(BUYER)) == (10**15, 10_000_000)


def test_a_transfer_that_the_chain_would_refuse_is_never_signed(
    chain: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    def reverts(**_: Any) -> int:
        raise gateway.RpcRefused(3, "execution reverted")

    refund = ask_back(paid_in_coins())
    monkeypatch.setattr(gateway, "estimate_gas", reverts)
    refund_send(refund_id=refund.pk)
    refund.refresh_from_db()
    assert (refund.status, refund.failure) == ("failed", "the transfer would fail")
    assert not CoinRefundAttempt.objects.exists()


def test_half_a_refund_is_never_called_off(chain: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    payment = invoiced(2000, token="USDC", rate="1")
    counted(payment, 10_000_000, 1000)
    counted(payment, 10**15, 1000, token="ETH")
    refund = ask_back(payment)
    refund_send(refund_id=refund.pk)
    CoinRefund.objects.filter(token="USDC").update(nonce=None, sender="")

    def reverts(**_: Any) -> int:
        raise gateway.RpcRefused(3, "execution reverted")

    monkeypatch.setattr(gateway, "estimate_gas", reverts)
    with pytest.raises(Reverts):
        refund_send(refund_id=refund.pk)
    refund.refresh_from_db()
    assert refund.status == "pending"


def test_a_reorg_of_its_block_does_not_end_it(chain: Node) -> None:
    refund = ask_back(paid_in_coins())
    refund_send(refund_id=refund.pk)
    chain.mine()
    chain("anvil_reorg", 1)
    assert refunds_follow() == 0
    assert after_blocks(chain) == 1
    refund.refresh_from_db()
    assert refund.status == "succeeded"
    assert chain.balance(BUYER) == refund.payment.invoice.amount


def test_what_the_pool_dropped_is_sent_again(chain: Node) -> None:
    refund = ask_back(paid_in_coins())
    refund_send(refund_id=refund.pk)
    [tx_hash] = hashes(sent(refund))
    assert chain("anvil_dropTransaction", tx_hash) == tx_hash
    refunds_follow()
    assert after_blocks(chain) == 1
    assert chain.receipt(tx_hash)["status"] == "0x1"


@pytest.mark.parametrize("arrives", [True, False])
def test_a_lost_answer_leads_to_the_same_transaction(
    chain: Node, monkeypatch: pytest.MonkeyPatch, *, arrives: bool
) -> None:
    send = gateway.send_raw

    def lost(raw: bytes) -> str:
        if arrives:
            send(raw)
        raise Unreachable("no answer")

    refund = ask_back(paid_in_coins())
    with monkeypatch.context() as patch:
        patch.setattr(gateway, "send_raw", lost)
        with pytest.raises(Unreachable):
            refund_send(refund_id=refund.pk)
    refund_send(refund_id=refund.pk)
    refund_send(refund_id=refund.pk)
    assert len(hashes(sent(refund))) == 1
    after_blocks(chain)
    assert chain.balance(BUYER) == refund.payment.invoice.amount
    assert chain.nonce(HOT) == 1


def test_control_a_new_signature_after_a_lost_answer_pays_twice(
    chain: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the stored transaction a repeat would take the next nonce."""
    refund = ask_back(paid_in_coins())
    refund_send(refund_id=refund.pk)
    CoinRefund.objects.update(nonce=None, sender="")
    refund_send(refund_id=refund.pk)
    after_blocks(chain)
    assert chain.balance(BUYER) == 2 * refund.payment.invoice.amount


@pytest.mark.parametrize("token", ["ETH", "USDC"])
def test_an_empty_hot_account_signs_nothing_and_says_so(
    chain: Node, caplog: pytest.LogCaptureFixture, token: str
) -> None:
    payment = paid_in_coins(token=token, rate="1" if token == "USDC" else "2000")
    chain.fund(HOT, wei=ETHER if token == "USDC" else payment.invoice.amount)
    chain("anvil_dealERC20", HOT, TOKEN, hex(payment.invoice.amount - 1))
    refund = ask_back(payment)
    with pytest.raises(HotAccountEmpty):
        refund_send(refund_id=refund.pk)
    assert "crypto.hot_account_empty" in caplog.messages
    assert not CoinRefundAttempt.objects.exists()
    assert not HotAccount.objects.filter(next_nonce__gt=0).exists()
    chain.fund(HOT, wei=ETHER, tokens=payment.invoice.amount)
    assert carried_out(chain, refund).status == "succeeded"


def test_what_is_promised_and_not_on_the_chain_yet_is_counted(chain: Node) -> None:
    first, second = (ask_back(paid_in_coins()) for _ in range(2))
    units = CoinRefund.objects.get(refund=first).amount
    chain.fund(HOT, wei=2 * units)
    refund_send(refund_id=first.pk)
    with pytest.raises(HotAccountEmpty):
        refund_send(refund_id=second.pk)
    chain.mine()
    with pytest.raises(HotAccountEmpty):
        refund_send(refund_id=second.pk)


def test_without_a_key_it_waits(
    chain: Node, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    refund = ask_back(paid_in_coins())
    settings.CHAIN_HOT_KEY = ""
    with pytest.raises(HotKeyMissing):
        refund_send(refund_id=refund.pk)
    assert "crypto.hot_key_missing" in caplog.messages


def test_coins_of_another_chain_are_not_sent_on_this_one(chain: Node, settings: Any) -> None:
    refund = ask_back(paid_in_coins())
    settings.CHAIN_ID = 1
    with pytest.raises(OtherChain):
        refund_send(refund_id=refund.pk)


def test_coins_that_a_reorg_took_out_are_not_given_back(chain: Node) -> None:
    refund = ask_back(paid_in_coins())
    Credit.objects.update(active=False, lost_at=Now())
    with pytest.raises(CoinsTakenBack):
        refund_send(refund_id=refund.pk)
    Credit.objects.update(active=True, lost_at=None)
    assert carried_out(chain, refund).status == "succeeded"

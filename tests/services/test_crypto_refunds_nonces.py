"""Coins that go back: what is offered anew, whose nonce counts, and how much they may be."""

from datetime import timedelta

import pytest
from django.core.exceptions import ObjectDoesNotExist
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from config import invariants
from payments.chain import gateway
from payments.chain.rules import transactions
from payments.crypto import rules
from payments.crypto.models import (
    CoinRefund,
    CoinRefundAttempt,
    Credit,
    HotAccount,
)
from payments.crypto.rules import Left
from payments.crypto.services import following, refund_send, refunds_follow
from payments.intake.models import Payment, Refund
from payments.intake.services import refund_settle
from tests.factories.chain import Node, Person
from tests.factories.coins import (
    BUYER,
    after_blocks,
    ask_back,
    chain,
    hashes,
    paid_in_coins,
    sent,
)
from tests.factories.orders import own_rollbacks, settled

__all__ = ["chain", "own_rollbacks", "settled"]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_rollbacks", "settled")]


def later(by: timedelta = following.PATIENCE) -> None:
    """Its attempts were made so long ago; nothing but a test may change them."""
    seconds = int(by.total_seconds())
    with connection.cursor() as cursor:
        table = CoinRefundAttempt._meta.db_table
        cursor.execute(
            f"UPDATE {table} SET created_at = created_at - INTERVAL %s SECOND", [seconds]
        )


def bodies(coins: CoinRefund) -> list[transactions.Unsigned]:
    return [transactions.decode(each.raw).body for each in coins.attempts.order_by("pk")]


def test_what_no_block_takes_offers_more_with_the_same_nonce(chain: Node) -> None:
    refund = ask_back(paid_in_coins())
    refund_send(refund_id=refund.pk)
    refunds_follow()
    assert len(bodies(sent(refund))) == 1
    later()
    refunds_follow()
    refunds_follow()
    first, second = bodies(sent(refund))
    assert (first.nonce, first.to, first.value) == (second.nonce, second.to, second.value)
    assert 10 * second.tip >= 11 * first.tip
    assert 10 * second.max_fee >= 11 * first.max_fee
    assert after_blocks(chain) == 1
    old, new = hashes(sent(refund))
    assert (chain.receipt(old), chain.receipt(new)["status"]) == (None, "0x1")
    assert chain.balance(BUYER) == refund.payment.invoice.amount


def test_the_first_offer_may_be_the_one_that_a_block_took(
    chain: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    refund = ask_back(paid_in_coins())
    refund_send(refund_id=refund.pk)
    later()
    with monkeypatch.context() as patch:
        patch.setattr(following, "attempt_send", lambda attempt: None)
        refunds_follow()
    assert len(hashes(sent(refund))) == 2
    assert after_blocks(chain) == 1
    assert chain.balance(BUYER) == refund.payment.invoice.amount


def test_a_chain_that_stands_still_is_not_offered_ever_more(chain: Node) -> None:
    refund = ask_back(paid_in_coins())
    refund_send(refund_id=refund.pk)
    for _ in range(30):
        later()
        refunds_follow()
    usual = gateway.fees().max_fee
    assert bodies(sent(refund))[-1].max_fee <= following.MOST_FEES * usual


def test_only_the_next_nonce_offers_more(chain: Node) -> None:
    for _ in range(2):
        refund_send(refund_id=ask_back(paid_in_coins()).pk)
    later()
    refunds_follow()
    assert [len(bodies(c)) for c in CoinRefund.objects.order_by("nonce")] == [2, 1]


def test_a_nonce_that_somebody_else_used_is_told(
    chain: Node, caplog: pytest.LogCaptureFixture
) -> None:
    refund = ask_back(paid_in_coins())
    refund_send(refund_id=refund.pk)
    chain("anvil_dropTransaction", hashes(sent(refund))[0])
    chain.send(Person(int("5a" * 32, 16)).pays(Person(99).address, value=1))
    chain.mine()
    later()
    assert refunds_follow() == 0
    assert "crypto.refund_nonce_taken" in caplog.messages
    assert len(hashes(sent(refund))) == 1


def test_the_chains_nonce_counts_where_it_is_ahead(chain: Node) -> None:
    chain.send(Person(int("5a" * 32, 16)).pays(Person(99).address, value=1))
    refund = ask_back(paid_in_coins())
    refund_send(refund_id=refund.pk)
    assert (sent(refund).nonce, HotAccount.objects.get().next_nonce) == (1, 2)


def test_a_refund_of_more_than_was_counted_is_not_written(chain: Node) -> None:
    payment = paid_in_coins()
    Credit.objects.update(value=1999)
    with pytest.raises(RuntimeError, match="counted"):
        ask_back(payment)
    Credit.objects.update(value=2000)
    assert not Refund.objects.exists()
    payment.refresh_from_db()
    assert payment.refund_pending == 0


def test_a_refund_that_is_decided_is_not_sent(chain: Node) -> None:
    refund = ask_back(paid_in_coins())
    refund_settle(refund_id=refund.pk, succeeded=False, failure="x")
    refund_send(refund_id=refund.pk)
    with pytest.raises(ObjectDoesNotExist):
        CoinRefundAttempt.objects.get()
    assert invariants.breaches() == []
    assert Payment.objects.get().refunded == 0


@given(
    credits=st.lists(
        st.tuples(st.integers(1, 10**21), st.integers(0, 10**7)), min_size=1, max_size=4
    ),
    cuts=st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=8),
)
def test_refunds_never_take_more_than_came_and_a_whole_one_takes_all(
    credits: list[tuple[int, int]], cuts: list[tuple[float, bool]]
) -> None:
    """Whatever was taken before, by refunds that succeeded or failed."""
    kept: dict[int, list[tuple[int, int]]] = {key: [] for key in range(len(credits))}

    def left() -> list[Left]:
        return [
            Left(key, "ETH", units, value, *(sum(c) for c in zip((0, 0), *kept[key], strict=True)))
            for key, (units, value) in enumerate(credits)
        ]

    def take(value: int) -> list[tuple[int, str, int, int]]:
        found = rules.taken(left(), value)
        assert sum(part for *_, part in found) == value
        assert all(units >= 0 for _, _, units, _ in found)
        return found

    failed: list[tuple[int, tuple[int, int]]] = []
    for cut, fails in cuts:
        rest = sum(one.value - one.value_gone for one in left())
        for key, _, units, part in take(int(rest * cut)):
            kept[key].append((units, part))
            if fails:
                failed.append((key, (units, part)))
        if len(failed) > 2:
            # Long after others have been written, the failures become known.
            for key, share in failed:
                kept[key].remove(share)
            failed.clear()
        for one in left():
            assert one.units_gone <= one.units
            assert one.value_gone <= one.value
    rest = sum(one.value - one.value_gone for one in left())
    for key, _, units, part in take(rest):
        kept[key].append((units, part))
    assert [one.units_gone for one in left()] == [units for units, _ in credits]
    assert [one.value_gone for one in left()] == [value for _, value in credits]

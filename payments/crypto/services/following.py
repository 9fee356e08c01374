"""Refunds that are signed, until the chain has them deep enough: sent again, with higher fees."""

import logging
from dataclasses import replace
from datetime import timedelta
from typing import Final

from django.conf import settings

from common import clock
from common.db import transactional
from common.outbox.services import enqueue
from payments.chain import gateway
from payments.chain.errors import BadAnswer, RpcRefused
from payments.chain.rules import amounts, transactions
from payments.chain.rules.answers import Receipt
from payments.chain.rules.transactions import Unsigned
from payments.crypto import locks, rules, selectors
from payments.crypto.errors import HotKeyMissing
from payments.crypto.models import CoinRefund, CoinRefundAttempt
from payments.crypto.services.refunds import (
    Hot,
    attempt_create,
    attempt_send,
    fail_all,
    hot,
)
from payments.intake import locks as intake_locks
from payments.intake import services as machine

logger = logging.getLogger(__name__)

AT_ONCE: Final = 200
# Every chain of interest has a block in much less.
PATIENCE: Final = timedelta(minutes=3)
# Times what is usual now: a chain that stands still takes nothing, whatever is offered.
MOST_FEES: Final = 5


def refunds_follow() -> int:
    """See what became of each signed transfer; how many have ended. Raises Unreachable.

    Two at once do the same twice, and the rows' locks leave one of them nothing to write.
    """
    found = selectors.coin_refunds_under_way(AT_ONCE)
    if not found:
        return 0
    # Before the receipts: a block that comes meanwhile makes none of them deeper.
    head = gateway.head_number()
    return sum(_follow(coins, head) for coins in found)


def _follow(coins: CoinRefund, head: int) -> bool:
    attempts = selectors.attempts(coins)
    try:
        receipt = _receipt(attempts)
        if receipt is None:
            _push(coins, attempts[-1])
            return False
    except (BadAnswer, RpcRefused) as error:
        # One answer that cannot be read must not keep the others waiting.
        facts = {"coin_refund": coins.pk, "error": str(error)}
        logger.warning("crypto.refund_not_followed", extra=facts)
        return False
    if amounts.confirmations(head, receipt.block_number) < _depth(coins):
        return False
    return _finish(coins) if receipt.succeeded else _fail(coins)


def _receipt(attempts: list[CoinRefundAttempt]) -> Receipt | None:
    """Of whichever the chain took, the newest first; it takes one of them at most."""
    found = (gateway.receipt(each.tx_hash) for each in reversed(attempts))
    return next((receipt for receipt in found if receipt), None)


def _depth(coins: CoinRefund) -> int:
    most = settings.PAYABLE_TOKENS[coins.token]["confirmations"]
    return rules.depth(coins.refund.amount, settings.CRYPTO_CONFIRMATIONS, most)


def _push(coins: CoinRefund, newest: CoinRefundAttempt) -> None:
    """Not in a block: with higher fees after a while, and again where the node forgot it."""
    again = None
    if clock.now() >= newest.created_at + PATIENCE:
        again = _offer_more(coins, newest)
    if again is not None:
        attempt_send(again)
    elif gateway.transaction(newest.tx_hash) is None:
        attempt_send(newest)


def _offer_more(coins: CoinRefund, newest: CoinRefundAttempt) -> CoinRefundAttempt | None:
    """None where fees are not what it waits for, or cannot be raised."""
    if not _is_its_turn(coins):
        return None
    fees, old = gateway.fees(), transactions.decode(newest.raw).body
    more = transactions.with_higher_fees(old)
    if more.max_fee > MOST_FEES * fees.max_fee:
        return None
    tip, max_fee = max(more.tip, fees.tip), max(more.max_fee, fees.max_fee)
    try:
        account = hot()
    except HotKeyMissing as error:
        logger.error(error.event, extra={"coin_refund": coins.pk})
        return None
    if account.address != coins.sender:
        logger.error("crypto.hot_key_changed", extra={"sender": coins.sender})
        return None
    return _sign_again(coins.pk, newest.pk, replace(more, tip=tip, max_fee=max_fee), account)


def _is_its_turn(coins: CoinRefund) -> bool:
    following = gateway.nonce(coins.sender)
    if following > (coins.nonce or 0):
        # Somebody else signs with the same key: staff have to look.
        facts = {"coin_refund": coins.pk, "sender": coins.sender, "nonce": coins.nonce}
        logger.error("crypto.refund_nonce_taken", extra=facts)
    return following == coins.nonce


@transactional
def _sign_again(pk: int, newest_pk: int, body: Unsigned, account: Hot) -> CoinRefundAttempt | None:
    """None where another follower was first."""
    coins = locks.coin_refund(pk)
    known = selectors.attempts(coins)
    if not known or known[-1].pk != newest_pk or coins.done_at or coins.failed:
        return None
    return attempt_create(coins, body, account)


@transactional
def _finish(coins: CoinRefund) -> bool:
    intake_locks.refund(coins.refund_id)
    found = locks.coin_refunds(coins.refund_id)
    [mine] = [each for each in found if each.pk == coins.pk]
    if mine.done_at or mine.nonce != coins.nonce:
        return False
    mine.done_at = clock.now()
    mine.save(update_fields=["done_at"])
    if all(each.done_at for each in found):
        machine.refund_settle(refund_id=coins.refund_id, succeeded=True)
    return True


@transactional
def _fail(coins: CoinRefund) -> bool:
    """In its block it failed: nothing has moved but the fee.

    Where other tokens of the same refund are on their way or there, this one is tried again, with
    another nonce since its own is used: half a refund cannot be called off.
    """
    intake_locks.refund(coins.refund_id)
    found = locks.coin_refunds(coins.refund_id)
    [mine] = [each for each in found if each.pk == coins.pk]
    if mine.failed or mine.nonce != coins.nonce:
        return False
    if any(each.nonce is not None for each in found if each.pk != mine.pk):
        logger.error("crypto.refund_half_failed", extra={"coin_refund": mine.pk})
        mine.sender, mine.nonce = "", None
        mine.save(update_fields=["sender", "nonce"])
        enqueue("payments.crypto.send_refund", refund_id=mine.refund_id)
    else:
        fail_all(mine.refund_id, found, "the transfer failed in its block")
    return True

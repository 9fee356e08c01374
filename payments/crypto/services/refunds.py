"""Coins on their way back: signed with the hot key, stored, and only then handed to the node.

Whatever becomes of the answer, the stored transaction is sent again, never another one with a
nonce of its own: the chain takes one transaction of a nonce.
"""

import logging
from dataclasses import dataclass, field, replace
from typing import Any, Final

from django.conf import settings

from common.db import transactional
from payments.chain import gateway
from payments.chain.errors import RpcRefused
from payments.chain.rules import transactions, transfers
from payments.chain.rules.hexes import data, text
from payments.chain.rules.transactions import Unsigned
from payments.chain.rules.transfers import Funds
from payments.crypto import locks, selectors
from payments.crypto.errors import (
    CoinsTakenBack,
    HotAccountEmpty,
    HotKeyMissing,
    NotYet,
    OtherChain,
    Reverts,
)
from payments.crypto.models import CoinRefund, CoinRefundAttempt
from payments.intake import locks as intake_locks
from payments.intake import selectors as intake
from payments.intake import services as machine
from payments.intake.rules import RefundStatus

logger = logging.getLogger(__name__)

# What a node says where the call itself would fail (EIP-1474 has no code; geth's).
REVERTED: Final = 3
PLAIN_GAS: Final = 21_000


@dataclass(frozen=True, slots=True)
class Hot:
    """The account that refunds are sent from."""

    address: str
    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Plan:
    """A transfer as it could be signed now, with what the chain said of the hot account."""

    coins: CoinRefund
    body: Unsigned
    funds: Funds


def hot() -> Hot:
    """Raises HotKeyMissing."""
    if not settings.CHAIN_HOT_KEY:
        raise HotKeyMissing("CHAIN_HOT_KEY is not set")
    key = bytes.fromhex(settings.CHAIN_HOT_KEY.removeprefix("0x"))
    return Hot(transactions.address_of(key), key)


def refund_send(*, refund_id: int) -> None:
    """Sign what is not signed yet and hand it to the node; safe to repeat.

    Raises NotYet where it has to wait for somebody, Unreachable and BadAnswer for the chain.
    """
    refund = intake.refund(refund_id)
    if refund.status != RefundStatus.PENDING:
        return
    try:
        _sign_all(refund_id)
    except NotYet as reason:
        facts = {"refund": str(refund.uid), "error": str(reason)}
        logger.error(reason.event, extra=facts)
        raise
    for coins in selectors.coin_refunds(refund_id):
        if coins.nonce is not None and coins.done_at is None:
            attempt_send(selectors.attempts(coins)[-1])


def _sign_all(refund_id: int) -> None:
    found = selectors.coin_refunds(refund_id)
    if not found:
        # So few cents of so dear a coin that they are no unit of it.
        machine.refund_settle(refund_id=refund_id, succeeded=False, failure="less than a unit")
    unsigned = [coins for coins in found if coins.nonce is None and not coins.failed]
    if not unsigned:
        return
    if any(coins.chain_id != settings.CHAIN_ID for coins in unsigned):
        raise OtherChain(f"CHAIN_ID is {settings.CHAIN_ID}")
    if not selectors.are_there(refund_id):
        raise CoinsTakenBack("the chain no longer has them")
    account = hot()
    try:
        # All of them before one is signed: half a refund cannot be called off.
        plans = [_plan(account, coins) for coins in unsigned]
    except RpcRefused as refusal:
        _give_up(refund_id, refusal)
        return
    for plan in plans:
        _sign(plan, account)


def _plan(account: Hot, coins: CoinRefund) -> Plan:
    """What the chain says is asked before the lock that gives the nonce away."""
    funds = gateway.funds(account.address, coins.contract or None)
    if coins.amount > (funds.tokens if coins.contract else funds.balance):
        raise HotAccountEmpty(f"{account.address} has less than {coins}")
    call = _call(coins)
    gas = gateway.estimate_gas(
        sender=account.address, to=call["to"], value=call["value"], payload=call["data"]
    )
    fees = gateway.fees()
    body = Unsigned(
        chain_id=coins.chain_id,
        nonce=gateway.nonce(account.address, "pending"),
        tip=fees.tip,
        max_fee=fees.max_fee,
        # A contract may need more by the time it runs; what is not used is not paid.
        gas=gas if gas == PLAIN_GAS else gas * 6 // 5,
        **call,
    )
    return Plan(coins, body, funds)


def _call(coins: CoinRefund) -> dict[str, Any]:
    if coins.contract:
        payload = transfers.transfer_call(coins.to_address, coins.amount)
        return {"to": coins.contract, "value": 0, "data": payload}
    return {"to": coins.to_address, "value": coins.amount, "data": b""}


@transactional
def _sign(plan: Plan, account: Hot) -> None:
    """Raises HotAccountEmpty, counting what is signed and not on the chain yet."""
    coins = locks.coin_refund(plan.coins.pk)
    if coins.nonce is not None or coins.failed:
        return
    row = locks.hot_account(coins.chain_id, account.address)
    _check_covered(plan, account)
    body = replace(plan.body, nonce=max(row.next_nonce, plan.body.nonce))
    coins.sender, coins.nonce = account.address, body.nonce
    coins.save(update_fields=["sender", "nonce"])
    row.next_nonce = body.nonce + 1
    row.save(update_fields=["next_nonce"])
    attempt_create(coins, body, account)


def _check_covered(plan: Plan, account: Hot) -> None:
    coins, funds = plan.coins, plan.funds
    # The nonce was read before the balances: what was mined between them counts twice, never not.
    wei, tokens = selectors.promised(coins.chain_id, account.address, funds.nonce)
    short = funds.balance < wei + plan.body.cost
    if coins.contract:
        short = short or funds.tokens < tokens.get(coins.contract, 0) + coins.amount
    if short:
        raise HotAccountEmpty(f"{account.address} has less than {coins} and what is on its way")


def attempt_create(coins: CoinRefund, body: Unsigned, account: Hot) -> CoinRefundAttempt:
    """Under the lock of the coins."""
    signed = transactions.sign(body, account.key)
    return CoinRefundAttempt.objects.create(
        coin_refund=coins,
        tx_hash=signed.hash,
        raw=text(signed.raw),
        tip=body.tip,
        max_fee=body.max_fee,
    )


def attempt_send(attempt: CoinRefundAttempt) -> None:
    """Raises Unreachable, BadAnswer. A refusal changes nothing: whoever follows it sends again."""
    try:
        gateway.send_raw(data(attempt.raw))
    except RpcRefused as refusal:
        facts = {"tx_hash": attempt.tx_hash, "error": str(refusal)}
        logger.warning("crypto.refund_not_taken", extra=facts)


def _give_up(refund_id: int, refusal: RpcRefused) -> None:
    """The chain would not carry it out: it fails before a coin has moved. Else raises."""
    if refusal.code != REVERTED:
        raise refusal
    if not _fail_unsigned(refund_id):
        raise Reverts(str(refusal)) from refusal


@transactional
def _fail_unsigned(refund_id: int) -> bool:
    intake_locks.refund(refund_id)
    found = locks.coin_refunds(refund_id)
    if any(coins.nonce is not None for coins in found):
        return False
    fail_all(refund_id, found, "the transfer would fail")
    return True


def fail_all(refund_id: int, found: list[CoinRefund], failure: str) -> None:
    """Under the refund's lock, where nothing of it has gone; the machine decides what then."""
    for coins in found:
        coins.failed = True
        coins.save(update_fields=["failed"])
    machine.refund_settle(refund_id=refund_id, succeeded=False, failure=failure)

"""Refusals of payments with coins, and why coins cannot go back yet."""

from typing import Final

from common.errors import Busy, FieldRefused, SoukError
from common.outbox.errors import TryLater
from payments.chain.errors import TITLES, TransactionRefused


class AddressRefused(FieldRefused):
    code, field = "invalid_address", "payment.refund_address"
    title = "This is no address of the chain, or its checksum is wrong."


class NotCrypto(FieldRefused):
    code, field = "not_crypto", "method"
    title = "Only a payment with coins has transactions."


class ChainAway(Busy):
    code = "chain_unavailable"
    title = "The chain cannot be asked at the moment."

    def __init__(self) -> None:
        super().__init__(retry_after=5)


# One class for each code, for the API's document.
TRANSACTION_REFUSALS: Final[tuple[type[SoukError], ...]] = tuple(
    type(f"Refused{reason.name}", (TransactionRefused,), {"code": reason.value, "title": title})
    for reason, title in TITLES.items()
)


class NotYet(TryLater):
    """A refund in coins waits, with nothing signed, until somebody has seen to it."""

    event = ""


class HotKeyMissing(NotYet):
    """Nobody has named the key that refunds are signed with (CHAIN_HOT_KEY)."""

    event = "crypto.hot_key_missing"


class HotAccountEmpty(NotYet):
    """The hot account has too few coins, or too little for the fees."""

    event = "crypto.hot_account_empty"


class CoinsTakenBack(NotYet):
    """A reorg took out what is to be given back."""

    event = "crypto.refund_without_coins"


class OtherChain(NotYet):
    """CHAIN_ID names another chain than the coins came on."""

    event = "crypto.refund_of_another_chain"


class Reverts(NotYet):
    """The chain would not carry it out, and another part of the same refund has gone already."""

    event = "crypto.refund_would_fail"

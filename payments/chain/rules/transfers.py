"""What pays whom: the transfers that a transaction asks for, and those that a receipt proves."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from payments.chain.errors import BadAnswer, Reason, TransactionRefused
from payments.chain.rules import addresses
from payments.chain.rules.answers import Log, Receipt, Transaction
from payments.chain.rules.hexes import keccak, text, word
from payments.chain.rules.transactions import Signed, Unsigned

# Functions of ERC-20, and its event.
TRANSFER: Final = keccak(b"transfer(address,uint256)")[:4]
BALANCE_OF: Final = keccak(b"balanceOf(address)")[:4]
DECIMALS: Final = keccak(b"decimals()")[:4]
TRANSFERRED: Final = text(keccak(b"Transfer(address,address,uint256)"))

# The ordinal of the transfer of the chain's own coin.
NATIVE: Final = -1


@dataclass(frozen=True, slots=True)
class Transfer:
    """One movement to one address. `ordinal` is its place in the receipt's logs, -1 for the coin.

    With chain and hash the ordinal makes the key of a credit: a block-wide log index would move
    when the transaction is included again. `token` is the contract's address, None for the coin.
    """

    tx_hash: str
    ordinal: int
    token: str | None
    sender: str
    to: str
    amount: int
    block_number: int
    block_hash: str


@dataclass(frozen=True, slots=True)
class Funds:
    """What the chain says of a sender: coins, units of the token, and the next nonce."""

    nonce: int
    balance: int
    tokens: int = 0


def transfer_call(to: str, amount: int) -> bytes:
    """The data of `transfer(to, amount)`."""
    return TRANSFER + bytes(12) + addresses.parse(to) + word(amount)


def balance_call(owner: str) -> bytes:
    """The data of `balanceOf(owner)`."""
    return BALANCE_OF + bytes(12) + addresses.parse(owner)


def paid_to(body: Unsigned, address: str, token: str | None = None) -> int:
    """What the transaction would move to `address`, in base units of the coin, or of `token`.

    Raises TransactionRefused `wrong_recipient` where it would move nothing there.
    """
    amount = body.value if token is None else _token_amount(body, address)
    if body.to != addresses.normal(token or address) or amount <= 0:
        raise TransactionRefused(Reason.WRONG_RECIPIENT)
    return amount


def _token_amount(body: Unsigned, address: str) -> int:
    """0 for any other call; a call that brings coins along would fail in the contract."""
    start = transfer_call(address, 0)[:36]
    if len(body.data) != 68 or body.data[:36] != start or body.value:
        return 0
    return int.from_bytes(body.data[36:], "big")


def check(
    signed: Signed,
    *,
    chain_id: int,
    address: str,
    token: str | None,
    funds: Funds,
    credited: bool = False,
) -> int:
    """The base units that a valid transaction pays to `address`; see `errors.Reason` for the rest.

    A nonce beyond the next one is no failure: the chain keeps the transaction until its turn.
    `funds` are the recovered sender's: where one digit was changed, another sender is recovered,
    which shows here and not as a bad signature.
    """
    body = signed.body
    if body.chain_id != chain_id:
        raise TransactionRefused(Reason.WRONG_CHAIN)
    amount = paid_to(body, address, token)
    if credited:
        raise TransactionRefused(Reason.ALREADY_CREDITED)
    if body.nonce < funds.nonce:
        raise TransactionRefused(Reason.NONCE_TOO_LOW)
    if funds.balance < body.cost or (token is not None and funds.tokens < amount):
        raise TransactionRefused(Reason.INSUFFICIENT_FUNDS)
    return amount


def proven(transaction: Transaction, receipt: Receipt) -> Iterator[Transfer]:
    """Every transfer of an included transaction; none where it failed.

    Raises BadAnswer where the two are not of the same transaction and block.
    """
    same = (receipt.tx_hash, receipt.block_hash) == (transaction.hash, transaction.block_hash)
    if not same:
        raise BadAnswer("the receipt is another transaction's, or of another block")
    if not receipt.succeeded:
        return
    if transaction.to is not None and transaction.value:
        yield _native(transaction, transaction.to, receipt)
    for ordinal, log in enumerate(receipt.logs):
        if found := _of_log(log, ordinal):
            yield found


def _native(transaction: Transaction, to: str, receipt: Receipt) -> Transfer:
    return Transfer(
        tx_hash=receipt.tx_hash,
        ordinal=NATIVE,
        token=None,
        sender=transaction.sender,
        to=to,
        amount=transaction.value,
        block_number=receipt.block_number,
        block_hash=receipt.block_hash,
    )


def _of_log(log: Log, ordinal: int) -> Transfer | None:
    """None for another event; an ERC-721 Transfer has a fourth topic and no data."""
    if len(log.topics) != 3 or log.topics[0] != TRANSFERRED or len(log.data) != 32:
        return None
    return Transfer(
        tx_hash=log.tx_hash,
        ordinal=ordinal,
        token=log.address,
        sender=_topic_address(log.topics[1]),
        to=_topic_address(log.topics[2]),
        amount=int.from_bytes(log.data, "big"),
        block_number=log.block_number,
        block_hash=log.block_hash,
    )


def _topic_address(topic: str) -> str:
    return addresses.checksummed(bytes.fromhex(topic[-40:]))


def address_topic(address: str) -> str:
    """An address as a topic, to ask for a token's transfers to it."""
    return text(bytes(12) + addresses.parse(address))

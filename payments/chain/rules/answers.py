"""A node's answers as typed values. Whatever has not the documented shape is a BadAnswer."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from payments.chain.errors import BadAnswer
from payments.chain.rules import addresses
from payments.chain.rules.hexes import data, quantity, text

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Block:
    """Hashes are `0x` and 64 lower-case digits; `base_fee` in wei a unit of gas."""

    number: int
    hash: str
    parent_hash: str
    timestamp: int
    base_fee: int
    transactions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Transaction:
    """`block_number` and `block_hash` are None while it waits. Addresses are checksummed."""

    hash: str
    sender: str
    to: str | None
    value: int
    nonce: int
    data: bytes
    block_number: int | None
    block_hash: str | None


@dataclass(frozen=True, slots=True)
class Log:
    address: str
    topics: tuple[str, ...]
    data: bytes
    block_number: int
    block_hash: str
    tx_hash: str
    log_index: int
    removed: bool


@dataclass(frozen=True, slots=True)
class Receipt:
    """`fee` is what the sender paid for gas, in wei."""

    tx_hash: str
    succeeded: bool
    block_number: int
    block_hash: str
    gas_used: int
    price: int
    logs: tuple[Log, ...]

    @property
    def fee(self) -> int:
        return self.gas_used * self.price


def reading(parse: Callable[[Any], T]) -> Callable[[Any], T]:
    """Turn whatever goes wrong in reading an answer into BadAnswer."""

    def read(answer: Any) -> T:
        try:
            return parse(answer)
        except (ValueError, TypeError, KeyError) as error:
            raise BadAnswer(f"{getattr(parse, '__name__', 'block')}: {error}") from error

    return read


def hash_of(value: Any) -> str:
    """A block's or transaction's hash, in lower case. Raises ValueError."""
    return text(data(value, size=32))


def block(answer: Any) -> Block:
    found = _mapping(answer)
    return Block(
        number=quantity(found["number"]),
        hash=hash_of(found["hash"]),
        parent_hash=hash_of(found["parentHash"]),
        timestamp=quantity(found["timestamp"]),
        base_fee=quantity(found.get("baseFeePerGas", "0x0")),
        transactions=tuple(hash_of(item) for item in _list(found["transactions"])),
    )


def block_paying(answer: Any, recipients: Collection[str]) -> tuple[Block, tuple[str, ...]]:
    """A block with whole transactions, and the hashes of those to `recipients` (lower case).

    Others are not looked at: a chain may have kinds that are unknown here.
    """
    found = _mapping(answer)
    whole = [_mapping(item) for item in _list(found["transactions"])]
    hashes = [hash_of(item["hash"]) for item in whole]
    paying = [
        name
        for name, item in zip(hashes, whole, strict=True)
        if str(item.get("to") or "").lower() in recipients
    ]
    return block({**found, "transactions": hashes}), tuple(paying)


def transaction(answer: Any) -> Transaction:
    found = _mapping(answer)
    number, block_hash = found.get("blockNumber"), found.get("blockHash")
    return Transaction(
        hash=hash_of(found["hash"]),
        sender=addresses.normal(found["from"]),
        to=None if found["to"] is None else addresses.normal(found["to"]),
        value=quantity(found["value"]),
        nonce=quantity(found["nonce"]),
        data=data(found["input"]),
        block_number=None if number is None else quantity(number),
        block_hash=None if block_hash is None else hash_of(block_hash),
    )


def receipt(answer: Any) -> Receipt:
    found = _mapping(answer)
    status = quantity(found["status"])
    if status not in (0, 1):
        raise ValueError("a status is 0 or 1")
    return Receipt(
        tx_hash=hash_of(found["transactionHash"]),
        succeeded=status == 1,
        block_number=quantity(found["blockNumber"]),
        block_hash=hash_of(found["blockHash"]),
        gas_used=quantity(found["gasUsed"]),
        price=quantity(found["effectiveGasPrice"]),
        logs=tuple(log(item) for item in _list(found["logs"])),
    )


def log(answer: Any) -> Log:
    found = _mapping(answer)
    return Log(
        address=addresses.normal(found["address"]),
        topics=tuple(hash_of(topic) for topic in _list(found["topics"])),
        data=data(found["data"]),
        block_number=quantity(found["blockNumber"]),
        block_hash=hash_of(found["blockHash"]),
        tx_hash=hash_of(found["transactionHash"]),
        log_index=quantity(found["logIndex"]),
        removed=bool(found.get("removed", False)),
    )


def logs(answer: Any) -> tuple[Log, ...]:
    return tuple(log(item) for item in _list(answer))


def _mapping(answer: Any) -> Mapping[str, Any]:
    if not isinstance(answer, dict):
        raise TypeError("an object is expected")
    return answer


def _list(answer: Any) -> list[Any]:
    if not isinstance(answer, list):
        raise TypeError("a list is expected")
    return answer

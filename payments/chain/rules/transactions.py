"""Signed transactions of type 2 (EIP-1559): read strictly, written canonically.

Sources: EIP-1559, EIP-2718, EIP-2930; EIP-2 for the low s; EIP-2681 for the largest nonce.
"""

from dataclasses import dataclass, replace
from typing import Final

from coincurve import PrivateKey, PublicKey

from payments.chain.errors import Reason, TransactionRefused
from payments.chain.rules import addresses, rlp
from payments.chain.rules.hexes import data as hex_data
from payments.chain.rules.hexes import keccak, text

TYPE: Final = b"\x02"
LARGEST: Final = 8 * 1024
MOST_NONCE: Final = 2**64 - 2
ORDER: Final = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141

AccessList = tuple[tuple[bytes, tuple[bytes, ...]], ...]


@dataclass(frozen=True, slots=True)
class Unsigned:
    """What is signed. Amounts in wei; `to` checksummed, None where a contract is made."""

    chain_id: int
    nonce: int
    tip: int
    max_fee: int
    gas: int
    to: str | None
    value: int = 0
    data: bytes = b""
    access_list: AccessList = ()

    @property
    def cost(self) -> int:
        """The most it can take from the sender: the value, and all gas at the highest fee."""
        return self.value + self.gas * self.max_fee


@dataclass(frozen=True, slots=True)
class Signed:
    """A transaction with its recovered sender; `hash` is `0x` and 64 digits."""

    body: Unsigned
    sender: str
    hash: str
    raw: bytes
    y_parity: int
    r: int
    s: int


def decode(raw: bytes | str, *, largest: int = LARGEST) -> Signed:
    """Raises TransactionRefused: malformed, or bad_signature."""
    try:
        payload = hex_data(raw) if isinstance(raw, str) else raw
        if len(payload) > largest:
            raise ValueError(f"more than {largest} bytes")
        fields = _fields(payload)
        body = _body(fields)
    except ValueError as error:
        raise TransactionRefused(Reason.MALFORMED, f"Not a transaction: {error}.") from error
    return _signed(body, payload, fields[9:])


def digest(body: Unsigned) -> bytes:
    """What the sender signs."""
    return keccak(TYPE + rlp.encode(_items(body)))


def sign(body: Unsigned, key: bytes) -> Signed:
    """Signed with a private key of 32 bytes. Raises ValueError for what is no key."""
    signature = PrivateKey(key).sign_recoverable(digest(body), hasher=None)
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big")
    parity = signature[64]
    ending = [rlp.number(parity), rlp.number(r), rlp.number(s)]
    return decode(TYPE + rlp.encode([*_items(body), *ending]))


def address_of(key: bytes) -> str:
    """Whose key it is. Raises ValueError for what is no private key of 32 bytes."""
    return addresses.of_key(PrivateKey(key).public_key)


def with_higher_fees(body: Unsigned, percent: int = 10) -> Unsigned:
    """The same with fees that a node takes for a replacement: at least 10 % more, rounded up."""

    def more(fee: int) -> int:
        return fee + -(-fee * percent // 100)

    return replace(body, tip=more(body.tip), max_fee=more(body.max_fee))


def _fields(payload: bytes) -> list[rlp.Item]:
    if payload[:1] != TYPE:
        raise ValueError("its type is not 2")
    found = rlp.decode(payload[1:])
    if isinstance(found, bytes) or len(found) != 12:
        raise ValueError("it has not 12 fields")
    return list(found)


def _body(fields: list[rlp.Item]) -> Unsigned:
    chain_id, nonce, tip, max_fee, gas, to, value, data, access = fields[:9]
    if not isinstance(data, bytes):
        raise ValueError("its data is a list")
    body = Unsigned(
        chain_id=rlp.to_number(chain_id),
        nonce=rlp.to_number(nonce, size=8),
        tip=rlp.to_number(tip),
        max_fee=rlp.to_number(max_fee),
        gas=rlp.to_number(gas, size=8),
        to=_recipient(to),
        value=rlp.to_number(value),
        data=data,
        access_list=_access(access),
    )
    if body.nonce > MOST_NONCE:
        raise ValueError("its nonce is beyond the largest")
    if body.tip > body.max_fee:
        raise ValueError("its tip is higher than its fee")
    return body


def _recipient(item: rlp.Item) -> str | None:
    if item == b"":
        return None
    return addresses.checksummed(_sized(item, 20))


def _sized(item: rlp.Item, size: int) -> bytes:
    if not isinstance(item, bytes) or len(item) != size:
        raise ValueError(f"a field has not {size} bytes")
    return item


def _access(item: rlp.Item) -> AccessList:
    if isinstance(item, bytes):
        raise ValueError("its access list is no list")
    return tuple(_access_entry(entry) for entry in item)


def _access_entry(entry: rlp.Item) -> tuple[bytes, tuple[bytes, ...]]:
    if isinstance(entry, bytes) or len(entry) != 2 or isinstance(entry[1], bytes):
        raise ValueError("an entry of its access list is no pair")
    return _sized(entry[0], 20), tuple(_sized(key, 32) for key in entry[1])


def _items(body: Unsigned) -> list[rlp.Item]:
    numbers = (body.chain_id, body.nonce, body.tip, body.max_fee, body.gas)
    to = addresses.parse(body.to) if body.to else b""
    return [*map(rlp.number, numbers), to, rlp.number(body.value), body.data, body.access_list]


def _signed(body: Unsigned, raw: bytes, ending: list[rlp.Item]) -> Signed:
    try:
        parity, r, s = (rlp.to_number(item) for item in ending)
        if parity not in (0, 1) or not 0 < r < ORDER or not 0 < s <= ORDER // 2:
            raise ValueError("out of range")
        signature = r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes([parity])
        key = PublicKey.from_signature_and_message(signature, digest(body), hasher=None)
    except Exception as error:
        # The library raises a bare Exception where no key fits.
        raise TransactionRefused(Reason.BAD_SIGNATURE) from error
    sender = addresses.of_key(key)
    return Signed(body, sender, text(keccak(raw)), raw, parity, r, s)

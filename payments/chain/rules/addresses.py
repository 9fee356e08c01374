"""Addresses: 20 bytes, shown with the checksum of EIP-55."""

from typing import Any

from coincurve import PublicKey

from payments.chain.rules.hexes import data, keccak


def checksummed(address: bytes) -> str:
    """EIP-55: a letter is a capital where the digit of the hash at its place is 8 or more."""
    digits = address.hex()
    marks = keccak(digits.encode()).hex()
    shown = (d.upper() if int(m, 16) >= 8 else d for d, m in zip(digits, marks, strict=False))
    return "0x" + "".join(shown)


def parse(value: Any) -> bytes:
    """An address in one case, or in both with the right checksum. Raises ValueError."""
    found = data(value, size=20)
    digits = value[2:]
    if digits not in (digits.lower(), digits.upper()) and value != checksummed(found):
        raise ValueError("the checksum of the address is wrong")
    return found


def normal(value: Any) -> str:
    """The checksummed form of a parsed address: two of them compare as text."""
    return checksummed(parse(value))


def of_key(key: PublicKey) -> str:
    """The last 20 bytes of the key's hash."""
    return checksummed(keccak(key.format(compressed=False)[1:])[-20:])

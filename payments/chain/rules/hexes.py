"""The two encodings of JSON-RPC, read strictly: quantities (`0x41`) and data (`0x0041`).

Source: https://ethereum.org/en/developers/docs/apis/json-rpc/#conventions
"""

import re
from typing import Any, Final

from eth_hash.auto import keccak

# What a word of the chain holds.
MOST: Final = 2**256 - 1

_QUANTITY: Final = re.compile(r"0x(0|[1-9a-fA-F][0-9a-fA-F]{0,63})")
_DATA: Final = re.compile(r"0x(?:[0-9a-fA-F]{2})*")

__all__ = ["MOST", "data", "keccak", "quantity", "text", "to_quantity", "word"]


def quantity(value: Any) -> int:
    """`"0x41"` → 65. Raises ValueError for anything else, leading zeros and 257 bits included."""
    if not isinstance(value, str) or _QUANTITY.fullmatch(value) is None:
        raise ValueError("not a quantity")
    return int(value, 16)


def data(value: Any, *, size: int | None = None) -> bytes:
    """`"0x0041"` → two bytes. Raises ValueError for anything else, or another number of bytes."""
    if not isinstance(value, str) or _DATA.fullmatch(value) is None:
        raise ValueError("not hex data")
    found = bytes.fromhex(value[2:])
    if size is not None and len(found) != size:
        raise ValueError(f"{len(found)} bytes, not {size}")
    return found


def to_quantity(number: int) -> str:
    return hex(number)


def text(raw: bytes) -> str:
    """Bytes as data: `0x…`, lower case."""
    return f"0x{raw.hex()}"


def word(number: int) -> bytes:
    """An integer as the 32 bytes of the ABI. Raises OverflowError where it is longer."""
    return number.to_bytes(32, "big")

"""Recursive length prefix, canonical only: what has two encodings is refused.

Source: https://ethereum.org/en/developers/docs/data-structures-and-encoding/rlp/
"""

from collections.abc import Sequence
from typing import Final, TypeAlias

Item: TypeAlias = bytes | Sequence["Item"]

_SHORT: Final = 55
_TEXT: Final = 0x80
_LIST: Final = 0xC0
# A transaction nests three deep; without an end the stack would run out.
_DEEPEST: Final = 8


def encode(item: Item) -> bytes:
    if isinstance(item, bytes):
        if len(item) == 1 and item[0] < _TEXT:
            return item
        return _prefix(len(item), _TEXT) + item
    body = b"".join(encode(part) for part in item)
    return _prefix(len(body), _LIST) + body


def number(value: int) -> bytes:
    """An integer as RLP has it: big-endian, no leading zeros, zero as nothing."""
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


def to_number(raw: Item, *, size: int = 32) -> int:
    """Raises ValueError for a list, a leading zero or more than `size` bytes."""
    if not isinstance(raw, bytes) or raw[:1] == b"\0" or len(raw) > size:
        raise ValueError("not a canonical integer")
    return int.from_bytes(raw, "big")


def decode(raw: bytes) -> Item:
    """The one item that all of `raw` is. Raises ValueError."""
    item, end = _item(raw, 0, len(raw), 0)
    if end != len(raw):
        raise ValueError("bytes after the item")
    return item


def _prefix(length: int, kind: int) -> bytes:
    if length <= _SHORT:
        return bytes([kind + length])
    size = number(length)
    return bytes([kind + _SHORT + len(size)]) + size


def _item(raw: bytes, at: int, end: int, depth: int) -> tuple[Item, int]:
    if at >= end or depth > _DEEPEST:
        raise ValueError("an item is missing, or too deep")
    first = raw[at]
    if first < _TEXT:
        return raw[at : at + 1], at + 1
    start, stop = _span(raw, at, end, _TEXT if first < _LIST else _LIST)
    if first >= _LIST:
        return _items(raw, start, stop, depth + 1), stop
    if stop - start == 1 and raw[start] < _TEXT:
        raise ValueError("a prefix that is not needed")
    return raw[start:stop], stop


def _items(raw: bytes, at: int, end: int, depth: int) -> list[Item]:
    found: list[Item] = []
    while at < end:
        item, at = _item(raw, at, end, depth)
        found.append(item)
    return found


def _span(raw: bytes, at: int, end: int, kind: int) -> tuple[int, int]:
    """Where the content of the item at `at` starts and stops."""
    length, start = raw[at] - kind, at + 1
    if length > _SHORT:
        size = length - _SHORT
        length, start = to_number(raw[start : start + size], size=8), start + size
        if length <= _SHORT:
            raise ValueError("a long prefix for a short item")
    if start + length > end:
        raise ValueError("shorter than it says")
    return start, start + length

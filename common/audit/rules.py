"""The chain's arithmetic. Pure."""

import hashlib
import json
from collections.abc import Iterable
from typing import Any, Final

GENESIS: Final = "0" * 64


def digest(previous: str, entries: Iterable[dict[str, Any]]) -> str:
    """SHA-256 over the batch before and every entry's canonical JSON, one line each."""
    chain = hashlib.sha256(previous.encode())
    for entry in entries:
        chain.update(b"\n" + canonical(entry))
    return chain.hexdigest()


def canonical(entry: dict[str, Any]) -> bytes:
    """The same bytes for the same entry, whatever the database did to the order of its keys."""
    return json.dumps(entry, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()

"""Identifiers that leave the server: opaque, unguessable, and telling nothing about volume."""

import secrets
from typing import Final

# Crockford's base 32: no I, L, O or U, so that a number can be read out over the telephone.
_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def order_number() -> str:
    """`"7Q4M-2XKD-9TBC"`: 60 random bits; a UNIQUE constraint settles the rest."""
    bits = secrets.randbits(60)
    symbols = "".join(_ALPHABET[bits >> place & 31] for place in range(0, 60, 5))
    return "-".join((symbols[:4], symbols[4:8], symbols[8:]))

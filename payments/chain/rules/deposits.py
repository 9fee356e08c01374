"""Deposit addresses by index, from an account's extended public key (BIP-32).

The curve's arithmetic is coincurve's. The `bip32` package allows no coincurve that has wheels for
Python 3.13.
"""

import hashlib
import hmac
from dataclasses import dataclass
from typing import Final

from coincurve import PublicKey

from payments.chain.rules import addresses

ALPHABET: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
# What makes `xpub` of the first letters; a private key has another version.
PUBLIC: Final = bytes.fromhex("0488b21e")
LENGTH: Final = 78
RECEIVING: Final = 0


@dataclass(frozen=True, slots=True)
class ExtendedKey:
    """A public key and the chain code that its children come from."""

    key: PublicKey
    chain_code: bytes

    def child(self, index: int) -> "ExtendedKey":
        """CKDpub. One index in 2^127 has no child: ValueError, as for hardened ones."""
        if not 0 <= index < 2**31:
            raise ValueError("an index is from 0 to 2^31 - 1")
        seed = self.key.format() + index.to_bytes(4, "big")
        found = hmac.digest(self.chain_code, seed, hashlib.sha512)
        return ExtendedKey(self.key.add(found[:32]), found[32:])


def address_at(xpub: str, index: int) -> str:
    """The `index`-th receiving address (path 0/index).

    For the key of the account m/44'/60'/0' these are the addresses that wallets show. Raises
    ValueError for what is no extended public key (a private one included) and for other indexes.
    """
    return addresses.of_key(extended_key(xpub).child(RECEIVING).child(index).key)


def extended_key(xpub: str) -> ExtendedKey:
    """Raises ValueError."""
    found = _checked(xpub)
    if len(found) != LENGTH or found[:4] != PUBLIC:
        raise ValueError("not an extended public key")
    try:
        return ExtendedKey(PublicKey(found[45:]), found[13:45])
    except Exception as error:
        # The library raises a bare Exception for what is no point of the curve.
        raise ValueError("not an extended public key") from error


def _checked(text: str) -> bytes:
    """Base58 with its checksum of four bytes."""
    number = 0
    for letter in text:
        number = number * 58 + ALPHABET.index(letter)
    if number.bit_length() > 8 * (LENGTH + 4):
        raise ValueError("not an extended public key")
    raw = number.to_bytes(LENGTH + 4, "big")
    body, check = raw[:-4], raw[-4:]
    if hashlib.sha256(hashlib.sha256(body).digest()).digest()[:4] != check:
        raise ValueError("the checksum of the extended key is wrong")
    return body

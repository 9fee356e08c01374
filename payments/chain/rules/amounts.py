"""Base units and decimals, payment links, confirmations."""

from decimal import Decimal
from fractions import Fraction
from typing import Final

# What a column of amounts holds (65 digits). A word of the chain is longer: an amount beyond
# this is none to the shop, and no coin has ever had so much.
MOST_STORED: Final = 10**65 - 1


def to_base_units(amount: Decimal, decimals: int) -> int:
    """`Decimal("0.5"), 18` → 5·10^17. Raises ValueError: digits lost, or below 0."""
    scale: int = 10**decimals
    scaled = Fraction(amount) * scale
    if scaled.denominator != 1 or not 0 <= scaled <= MOST_STORED:
        raise ValueError(f"{amount} is no amount with {decimals} decimals")
    return scaled.numerator


def to_text(units: int, decimals: int) -> str:
    """5·10^17, 18 → "0.500000000000000000": all decimals, as money leaves the server."""
    # Written out: arithmetic would round the 29th digit away.
    return format(Decimal(f"{units}E-{decimals}"), "f")


def payment_uri(*, address: str, amount: int, chain_id: int, token: str | None = None) -> str:
    """EIP-681: what a wallet opens, or reads from a QR code. `amount` in base units."""
    if token is None:
        return f"ethereum:{address}@{chain_id}?value={amount}"
    return f"ethereum:{token}@{chain_id}/transfer?address={address}&uint256={amount}"


def confirmations(head: int, block: int | None) -> int:
    """Head - block + 1: a transaction in the newest block has one, outside a block none."""
    return 0 if block is None else max(0, head - block + 1)

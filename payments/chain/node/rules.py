"""What a node computes: gas, fees, the token's calls, hashes of headers. No Django.

Sources: EIP-1559 for the base fee; EIP-2028 and EIP-2930 for gas; EIP-20 for the token; the Yellow
Paper for headers and blooms.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from payments.chain.node.errors import Reverted
from payments.chain.rules import rlp
from payments.chain.rules.hexes import data, keccak, text, word
from payments.chain.rules.transactions import Unsigned
from payments.chain.rules.transfers import BALANCE_OF, TRANSFER, TRANSFERRED

GWEI: Final = 10**9
GAS_LIMIT: Final = 30_000_000
FIRST_BASE_FEE: Final = GWEI
# Empty blocks would let it sink to nothing, and fees with it.
LEAST_BASE_FEE: Final = GWEI
MOST_BASE_FEE: Final = 10**15
USUAL_TIP: Final = GWEI
TRANSACTION_GAS: Final = 21_000
TOKEN_GAS: Final = 30_000
GENESIS: Final = 1_700_000_000
NO_HASH: Final = "0x" + 64 * "0"
BLOOM_BYTES: Final = 256

# Where anvil's first contract is, and who gets the tips.
TOKEN: Final = "0x5fbdb2315678afecb367f032d93f642f64180aa3"  # noqa: S105  # nosec B105  # an address
MINER: Final = "0x000000000000000000000000000000000000c0de"
NOBODY: Final = "0x" + 40 * "0"
# What `eth_getCode` shows of the token: any code will do, since nothing runs it.
TOKEN_CODE: Final = "0x600080fd"  # noqa: S105  # nosec B105  # code
TOKEN_NAME: Final = "Souk Dollar"  # noqa: S105  # nosec B105  # a name
TOKEN_SYMBOL: Final = "USDC"  # noqa: S105  # nosec B105  # a symbol
TOKEN_DECIMALS: Final = 6


@dataclass(frozen=True, slots=True)
class TokenMove:
    """`amount` base units of the token to `recipient`."""

    recipient: str
    amount: int


def intrinsic_gas(body: Unsigned) -> int:
    """What a transaction costs before anything runs."""
    zeros = body.data.count(0)
    keys = sum(len(keys) for _address, keys in body.access_list)
    listed = 2400 * len(body.access_list) + 1900 * keys
    return TRANSACTION_GAS + 4 * zeros + 16 * (len(body.data) - zeros) + listed


def needed_gas(body: Unsigned) -> int:
    return intrinsic_gas(body) + (TOKEN_GAS if is_token(body.to) else 0)


def is_token(address: str | None) -> bool:
    return address is not None and address.lower() == TOKEN


def next_base_fee(base_fee: int, gas_used: int) -> int:
    """EIP-1559: an eighth more after a full block, an eighth less after an empty one."""
    target = GAS_LIMIT // 2
    change = base_fee * abs(gas_used - target) // target // 8
    moved = base_fee + max(change, 1) if gas_used > target else base_fee - change
    return min(max(moved, LEAST_BASE_FEE), MOST_BASE_FEE)


def price_of(max_fee: int, tip: int, base_fee: int) -> int:
    """What a unit of gas costs; less than the base fee says that the block cannot take it."""
    return min(max_fee, base_fee + tip)


def is_replacement(old: tuple[int, int], new: tuple[int, int]) -> bool:
    """Tip and highest fee both at least 10 % higher."""
    return all(10 * after >= 11 * before for before, after in zip(old, new, strict=True))


def token_move(payload: bytes) -> TokenMove | None:
    """The move that the data of a call asks for; None for any other call."""
    if len(payload) != 68 or payload[:4] != TRANSFER or any(payload[4:16]):
        return None
    return TokenMove(text(payload[16:36]), int.from_bytes(payload[36:], "big"))


def token_view(payload: bytes, balances: dict[str, int], supply: int) -> bytes:
    """What a reading call of the token returns, in the words of the ABI. Raises Reverted."""
    fixed = {
        selector("decimals()"): word(TOKEN_DECIMALS),
        selector("symbol()"): _abi_text(TOKEN_SYMBOL),
        selector("name()"): _abi_text(TOKEN_NAME),
        selector("totalSupply()"): word(supply),
    }
    if payload[:4] == BALANCE_OF and len(payload) >= 36:
        return word(balances.get(text(payload[16:36]), 0))
    if payload[:4] not in fixed:
        raise Reverted(data="0x")
    return fixed[payload[:4]]


def selector(signature: str) -> bytes:
    return keccak(signature.encode())[:4]


def _abi_text(value: str) -> bytes:
    raw = value.encode()
    return word(32) + word(len(raw)) + raw.ljust(-(-len(raw) // 32) * 32, b"\0")


def log_topics(sender: str, recipient: str) -> list[str]:
    return [TRANSFERRED, *(text(bytes(12) + data(one)) for one in (sender, recipient))]


def bloom(topics: Iterable[Sequence[str]]) -> bytes:
    """The 2048 bits that say which topics, and the token's address, a block may have."""
    bits = 0
    for entry in {item for some in topics for item in (TOKEN, *some)}:
        hashed = keccak(data(entry))
        for at in (0, 2, 4):
            bits |= 1 << (int.from_bytes(hashed[at : at + 2], "big") & 2047)
    return bits.to_bytes(BLOOM_BYTES, "big")


EMPTY_ROOT: Final = text(keccak(rlp.encode(b"")))
EMPTY_LIST: Final = text(keccak(rlp.encode([])))


@dataclass(frozen=True, slots=True)
class Header:
    """The fields of a block's header that differ from block to block."""

    number: int
    parent_hash: str
    timestamp: int
    base_fee: int
    gas_used: int
    salt: str
    transactions: tuple[str, ...]
    bloom: bytes

    @property
    def root(self) -> str:
        """Of transactions and receipts: of the right look only, since nobody asks for proofs."""
        if not self.transactions:
            return EMPTY_ROOT
        return text(keccak(b"".join(data(one) for one in self.transactions)))

    @property
    def state_root(self) -> str:
        return text(keccak(data(self.salt)))

    def encoded(self) -> bytes:
        hashes = (self.parent_hash, EMPTY_LIST, MINER, self.state_root, self.root, self.root)
        numbers = (0, self.number, GAS_LIMIT, self.gas_used, self.timestamp)
        return rlp.encode(
            [
                *map(data, hashes),
                self.bloom,
                *map(rlp.number, numbers),
                b"",
                data(self.salt),
                bytes(8),
                rlp.number(self.base_fee),
            ]
        )

    @property
    def hash(self) -> str:
        return text(keccak(self.encoded()))

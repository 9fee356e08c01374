"""Genesis, and balances out of nothing."""

from typing import Final

from common.db import transactional
from payments.chain.node import locks, rules
from payments.chain.node.errors import InvalidParams
from payments.chain.node.models import MockAccount, MockBlock, MockHead
from payments.chain.rules.hexes import keccak, text

# Far below the 10^65 of a column: what many such accounts send to one must fit as well.
MOST_GIVEN: Final = 10**60


def chain_ensure() -> None:
    """Make the first block, where there is none yet."""
    if not MockHead.objects.exists():
        _genesis()


@transactional
def _genesis() -> None:
    header = rules.Header(
        number=0,
        parent_hash=rules.NO_HASH,
        timestamp=rules.GENESIS,
        base_fee=rules.FIRST_BASE_FEE,
        gas_used=0,
        salt=text(keccak(b"souk")),
        transactions=(),
        bloom=bytes(rules.BLOOM_BYTES),
    )
    MockBlock.objects.get_or_create(
        number=0,
        defaults={
            "hash": header.hash,
            "parent_hash": header.parent_hash,
            "timestamp": header.timestamp,
            "base_fee": header.base_fee,
            "gas_used": 0,
            "salt": header.salt,
        },
    )
    MockHead.objects.get_or_create(id=1, defaults={"number": 0})


@transactional
def balance_set(*, address: str, wei: int) -> None:
    """Raises InvalidParams for more than a column holds."""
    _set(address, "balance", wei)


@transactional
def tokens_set(*, address: str, amount: int) -> None:
    _set(address, "tokens", amount)


def _set(address: str, name: str, amount: int) -> None:
    if not 0 <= amount <= MOST_GIVEN:
        raise InvalidParams("invalid params: the mock chain gives at most 10^60")
    locks.head()
    MockAccount.objects.update_or_create(address=address, defaults={name: amount})

"""Write use cases of the mock chain."""

from payments.chain.node.services.accounts import balance_set, chain_ensure, tokens_set
from payments.chain.node.services.blocks import blocks_mine, blocks_mine_due, chain_reorg
from payments.chain.node.services.pool import (
    transaction_drop,
    transaction_fail,
    transaction_send,
)

__all__ = [
    "balance_set",
    "blocks_mine",
    "blocks_mine_due",
    "chain_ensure",
    "chain_reorg",
    "tokens_set",
    "transaction_drop",
    "transaction_fail",
    "transaction_send",
]

"""The chain, in every mode."""

from decimal import Decimal
from typing import Any

import environ

env = environ.Env()

# An Ethereum node's JSON-RPC, and the chain it must serve: 31337 is the mock chain's, 1 Ethereum's.
CHAIN_RPC_URL = env.str("CHAIN_RPC_URL", default="")
CHAIN_ID = env.int("CHAIN_ID", default=31337)
CHAIN_TIMEOUT_SECONDS = env.float("CHAIN_TIMEOUT_SECONDS", default=8.0)
# The project's own chain at /mockchain/ gives coins to everybody; each mode says if it is there.
MOCK_CHAIN = False
# How often it mines; 0: only when told to (evm_mine).
MOCK_CHAIN_BLOCK_SECONDS = env.float("MOCK_CHAIN_BLOCK_SECONDS", default=2.0)
# For the beat of modes that have it.
MINING: dict[str, Any] = {
    "mockchain-mine": {"task": "payments.chain.node.mine", "schedule": MOCK_CHAIN_BLOCK_SECONDS}
}
if MOCK_CHAIN_BLOCK_SECONDS <= 0:
    MINING.clear()

# Deposit addresses come from this extended public key, whose private keys are not on a server that
# takes orders: for Ethereum wallets the one of the account m/44'/60'/0'. Without it nobody pays in
# coins. A new database needs another one, or addresses of the old one are given again.
CHAIN_XPUB = env.str("CHAIN_XPUB", default="")
# Private key (64 digits) of the account that refunds are sent from; only workers need it.
CHAIN_HOT_KEY = env.str("CHAIN_HOT_KEY", default="")
# The contracts of tokens on this chain, by symbol; a token without one is not taken.
CHAIN_CONTRACTS: dict[str, str] = {"USDC": env.str("CHAIN_USDC_CONTRACT", default="")}
# Of the mock chain: the first account of the phrase that every developer's tool has, hence public.
MOCK_XPUB = (
    "xpub6Ce9NcJvTk36xtLSrJLZqE7wtgA5deCeYs7rSQtreh4cj6ByPtrg9sD7V2FNFLPnf8heNP3FGkeV9qwfzvZNSd54Jo"
    "NXVsXFYSYwHsnJxqP"
)
# Everybody has it: coins of the mock chain only.
MOCK_HOT_KEY = "7c" * 32
MOCK_CONTRACTS = {"USDC": "0x5FbDB2315678afecb367f032d93F642f64180aa3"}
# How often new blocks are looked for.
CHAIN_WATCH_SECONDS = env.float("CHAIN_WATCH_SECONDS", default=3.0)
WATCHING: dict[str, Any] = {
    "chain-watch": {"task": "payments.crypto.watch", "schedule": CHAIN_WATCH_SECONDS},
    "chain-refunds": {"task": "payments.crypto.follow_refunds", "schedule": CHAIN_WATCH_SECONDS},
}
# A payment of so many cents at most needs so many confirmations; a larger one the token's own.
CRYPTO_CONFIRMATIONS: list[tuple[int, int]] = [(100_00, 2), (1_000_00, 6)]
# Coins that come late, or are too few, are taken if they are worth at most so much less today.
CRYPTO_ACCEPT_PERCENT = Decimal(env.str("CRYPTO_ACCEPT_PERCENT", default="2"))
# How long after its deadline an invoice's address is looked at.
CRYPTO_WATCH_SECONDS = env.int("CRYPTO_WATCH_SECONDS", default=24 * 3600)

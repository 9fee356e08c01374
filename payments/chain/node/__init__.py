"""The mock chain: an Ethereum node's JSON-RPC over tables of the shop's own database.

Wallets and libraries pay through it unchanged; docs/chain.md says how. What a node has and this has
not: an EVM (there is one contract, an ERC-20 token, and no way to make another), legacy and blob
transactions, the state of earlier blocks, subscriptions, filters, proofs, and peers.
"""

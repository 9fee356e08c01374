"""Blocks, transactions, receipts and logs as a node answers them."""

from collections.abc import Sequence
from typing import Any

from payments.chain.node import rules
from payments.chain.node.models import MockBlock, MockLog, MockTransaction
from payments.chain.rules import transactions
from payments.chain.rules.hexes import text, word
from payments.chain.rules.transactions import Signed

JSON = dict[str, Any]


def header_of(
    block: MockBlock, included: Sequence[MockTransaction], logs: Sequence[MockLog]
) -> rules.Header:
    return rules.Header(
        number=block.number,
        parent_hash=block.parent_hash,
        timestamp=block.timestamp,
        base_fee=block.base_fee,
        gas_used=block.gas_used,
        salt=block.salt,
        transactions=tuple(one.hash for one in included),
        bloom=rules.bloom([rules.log_topics(one.sender, one.recipient) for one in logs]),
    )


def block(
    found: MockBlock,
    included: Sequence[MockTransaction],
    logs: Sequence[MockLog],
    *,
    whole: bool,
) -> JSON:
    """`whole` has the transactions themselves, not their hashes alone."""
    header = header_of(found, included, logs)
    size = len(header.encoded()) + sum(len(one.raw) // 2 for one in included)
    return {
        "number": hex(found.number),
        "hash": found.hash,
        "parentHash": found.parent_hash,
        "sha3Uncles": rules.EMPTY_LIST,
        "miner": rules.MINER,
        "stateRoot": header.state_root,
        "transactionsRoot": header.root,
        "receiptsRoot": header.root,
        "logsBloom": text(header.bloom),
        "difficulty": "0x0",
        "size": hex(size),
        "gasLimit": hex(rules.GAS_LIMIT),
        "gasUsed": hex(found.gas_used),
        "timestamp": hex(found.timestamp),
        "extraData": "0x",
        "mixHash": found.salt,
        "nonce": "0x0000000000000000",
        "baseFeePerGas": hex(found.base_fee),
        "uncles": [],
        "transactions": [transaction(one, found) if whole else one.hash for one in included],
    }


def transaction(found: MockTransaction, included_in: MockBlock | None) -> JSON:
    signed = transactions.decode(found.raw, largest=2**20)
    price = found.price if included_in else found.max_fee
    return {
        "blockHash": included_in.hash if included_in else None,
        "blockNumber": hex(included_in.number) if included_in else None,
        "transactionIndex": None if found.index is None else hex(found.index),
        "hash": found.hash,
        "from": found.sender,
        "to": found.to,
        "gasPrice": hex(price),
        **_signed(signed),
    }


def _signed(signed: Signed) -> JSON:
    body = signed.body
    return {
        "type": "0x2",
        "chainId": hex(body.chain_id),
        "nonce": hex(body.nonce),
        "gas": hex(body.gas),
        "maxFeePerGas": hex(body.max_fee),
        "maxPriorityFeePerGas": hex(body.tip),
        "value": hex(body.value),
        "input": text(body.data),
        "accessList": [
            {"address": text(address), "storageKeys": [text(key) for key in keys]}
            for address, keys in body.access_list
        ],
        "yParity": hex(signed.y_parity),
        "v": hex(signed.y_parity),
        "r": hex(signed.r),
        "s": hex(signed.s),
    }


def receipt(
    found: MockTransaction, included_in: MockBlock, logs: Sequence[MockLog], gas_before: int
) -> JSON:
    gas = found.gas_used or 0
    topics = [rules.log_topics(one.sender, one.recipient) for one in logs]
    return {
        "transactionHash": found.hash,
        "transactionIndex": hex(found.index or 0),
        "blockHash": included_in.hash,
        "blockNumber": hex(included_in.number),
        "from": found.sender,
        "to": found.to,
        "contractAddress": None,
        "cumulativeGasUsed": hex(gas_before + gas),
        "gasUsed": hex(gas),
        "effectiveGasPrice": hex(found.price),
        "logs": [log(one) for one in logs],
        "logsBloom": text(rules.bloom(topics)),
        "status": "0x1" if found.succeeded else "0x0",
        "type": "0x2",
    }


def log(found: MockLog) -> JSON:
    return {
        "address": rules.TOKEN,
        "topics": rules.log_topics(found.sender, found.recipient),
        "data": text(word(found.amount)),
        "blockNumber": hex(found.block.number),
        "blockHash": found.block.hash,
        "blockTimestamp": hex(found.block.timestamp),
        "transactionHash": found.transaction.hash,
        "transactionIndex": hex(found.transaction.index or 0),
        "logIndex": hex(found.log_index),
        "removed": False,
    }

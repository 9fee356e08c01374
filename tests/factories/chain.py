"""The mock chain for tests: a node to call, and people with keys."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import httpx
from django.test import Client

from payments.chain.node import rules as node_rules
from payments.chain.rules import addresses, transactions, transfers
from payments.chain.rules.hexes import text
from payments.chain.rules.transactions import Signed, Unsigned

TOKEN = addresses.normal(node_rules.TOKEN)
ETHER = 10**18
GWEI = 10**9
NO_CODE = "0x" + "00" * 19 + "99"
Post = Callable[[Any], tuple[int, Any]]


class RpcFailed(Exception):
    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(f"{error['code']}: {error['message']}")
        self.code, self.message = error["code"], error["message"]


def in_process(body: Any) -> tuple[int, Any]:
    """Through Django without a socket; the status and the JSON, None without a body."""
    answer = Client().post("/mockchain/", body, content_type="application/json")
    return answer.status_code, answer.json() if answer.content else None


def over_http(url: str) -> Post:
    # One for all calls: each new client reads the machine's certificates.
    client = httpx.Client(timeout=30)

    def post(body: Any) -> tuple[int, Any]:
        answer = client.post(url, json=body)
        return answer.status_code, answer.json()

    return post


@dataclass
class Node:
    """A caller of JSON-RPC; a refusal is raised as RpcFailed."""

    post: Post = in_process

    def __call__(self, method: str, *params: Any) -> Any:
        body = {"jsonrpc": "2.0", "id": 7, "method": method, "params": list(params)}
        status, answer = self.post(body)
        assert (status, answer["jsonrpc"], answer["id"]) == (200, "2.0", 7)
        if "error" in answer:
            raise RpcFailed(answer["error"])
        return answer["result"]

    def fund(self, address: str, *, wei: int = 10 * ETHER, tokens: int = 0) -> None:
        self("anvil_setBalance", address, hex(wei))
        if tokens:
            self("anvil_dealERC20", address, TOKEN, hex(tokens))

    def send(self, signed: Signed) -> str:
        return str(self("eth_sendRawTransaction", text(signed.raw)))

    def mine(self, blocks: int = 1) -> int:
        self("evm_mine", {"blocks": blocks})
        return self.height()

    def height(self) -> int:
        return int(self("eth_blockNumber"), 16)

    def balance(self, address: str) -> int:
        return int(self("eth_getBalance", address, "latest"), 16)

    def tokens(self, address: str) -> int:
        asked = {"to": TOKEN, "data": text(transfers.balance_call(address))}
        return int(self("eth_call", asked, "latest"), 16)

    def nonce(self, address: str, tag: str = "latest") -> int:
        return int(self("eth_getTransactionCount", address, tag), 16)

    def receipt(self, tx_hash: str) -> Any:
        return self("eth_getTransactionReceipt", tx_hash)


@dataclass
class Person:
    """Somebody with a key; `n` makes the key."""

    n: int
    body: Unsigned = field(
        default=Unsigned(
            chain_id=31337,
            nonce=0,
            tip=2 * GWEI,
            max_fee=20 * GWEI,
            gas=21_000,
            to=NO_CODE,
            value=ETHER,
        )
    )

    @property
    def key(self) -> bytes:
        return self.n.to_bytes(32, "big")

    @property
    def address(self) -> str:
        return transactions.sign(self.body, self.key).sender

    def pays(self, to: str, **changes: Any) -> Signed:
        return transactions.sign(replace(self.body, to=to, **changes), self.key)

    def sends_tokens(self, to: str, amount: int, **changes: Any) -> Signed:
        call = transfers.transfer_call(to, amount)
        given = {"gas": 90_000, "value": 0, "data": call} | changes
        return transactions.sign(replace(self.body, to=TOKEN, **given), self.key)

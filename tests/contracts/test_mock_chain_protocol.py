"""JSON-RPC 2.0 as a node speaks it, and what it says to garbage."""

import json
from typing import Any

import pytest
from django.test import Client

from payments.chain.node import envelope, methods
from payments.chain.node.methods import METHODS
from tests.factories.chain import TOKEN, Node, Person, RpcFailed, in_process

pytestmark = pytest.mark.django_db
BUYER = Person(31)
HASH = "0x" + "ab" * 32


def call(method: Any = "eth_chainId", **changes: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": []} | changes


def error_of(body: Any) -> tuple[Any, int, str]:
    status, answer = in_process(body)
    assert status == 200
    return answer["id"], answer["error"]["code"], answer["error"]["message"]


def raw(body: bytes, content_type: str = "application/json") -> Any:
    return Client().post("/mockchain/", body, content_type=content_type)


def test_a_batch_is_answered_call_by_call() -> None:
    asked = [call(id="a"), call("nothing", id=2), call("net_version", id=None), 5]
    _, answers = in_process(asked)
    assert [one["id"] for one in answers] == ["a", 2, None, None]
    assert answers[0]["result"] == "0x7a69"
    assert answers[1]["error"]["code"] == -32601
    assert answers[2]["result"] == "31337"
    assert answers[3]["error"]["code"] == -32600


def test_notifications_are_not_answered() -> None:
    silent = {"jsonrpc": "2.0", "method": "evm_mine"}
    assert in_process(silent) == (204, None)
    assert in_process([silent, {**silent, "method": "nothing"}]) == (204, None)
    assert in_process([silent, call("eth_blockNumber")])[1] == [
        {"jsonrpc": "2.0", "id": 1, "result": "0x3"}
    ]


@pytest.mark.parametrize(
    "body",
    [b" ", b"{", b"nothing", b"\xff", b'{"a": NaN}', b"[" * 100_000, b"[" + b"9" * 5000 + b"]"],
)
def test_what_is_no_json_is_a_parse_error(body: bytes) -> None:
    answer = raw(body).json()
    assert (answer["id"], answer["error"]["code"]) == (None, -32700)


@pytest.mark.parametrize(
    "body",
    [
        [],
        5,
        None,
        {},
        call(jsonrpc="1.0"),
        call(5),
        call(id=[]),
        call(id=True),
        call(id="x" * 257),
        [call()] * 101,
    ],
)
def test_what_is_no_call_is_an_invalid_request(body: Any) -> None:
    assert error_of(body)[:2] == (None, -32600)


def test_a_hundred_calls_are_a_batch() -> None:
    assert len(in_process([call()] * envelope.MOST_CALLS)[1]) == 100


def test_an_unknown_method_is_named() -> None:
    number, code, message = error_of(call("eth_nothing", id="q"))
    assert (number, code) == ("q", -32601)
    assert message == "the method eth_nothing does not exist/is not available"


BAD: list[tuple[str, list[Any]]] = [
    ("eth_getBalance", []),
    ("eth_getBalance", ["0x12"]),
    ("eth_getBalance", [None]),
    ("eth_getBalance", [BUYER.address, "newest"]),
    ("eth_getBalance", [BUYER.address, "0x01"]),
    ("eth_getBalance", [BUYER.address, "latest", 1]),
    ("eth_getTransactionCount", [BUYER.address, 5]),
    ("eth_getBlockByNumber", []),
    ("eth_getBlockByNumber", ["latest", "yes"]),
    ("eth_getBlockByHash", ["0xab", False]),
    ("eth_getTransactionReceipt", ["0x" + "a" * 63]),
    ("eth_sendRawTransaction", ["hello"]),
    ("eth_sendRawTransaction", ["0x02c0"]),
    ("eth_call", ["0x"]),
    ("eth_call", [{"to": TOKEN, "surprise": 1}]),
    ("eth_estimateGas", [{"to": TOKEN, "value": "5"}]),
    ("eth_estimateGas", [{"to": 7}]),
    ("eth_getLogs", [[]]),
    ("eth_getLogs", [{"topics": "0x"}]),
    ("eth_getLogs", [{"topics": [None] * 5}]),
    ("eth_getLogs", [{"topics": ["0xab"]}]),
    ("eth_getLogs", [{"address": "0xab"}]),
    ("eth_getLogs", [{"blockHash": HASH, "toBlock": "0x1"}]),
    ("eth_feeHistory", ["0x1"]),
    ("eth_feeHistory", ["0x1", "latest", [101]]),
    ("eth_feeHistory", ["0x1", "latest", "50"]),
    ("anvil_setBalance", [BUYER.address]),
    ("anvil_setBalance", [BUYER.address, "-0x1"]),
    ("anvil_setBalance", [BUYER.address, -1]),
    ("anvil_reorg", [1, [["0x", 0]]]),
    ("anvil_mine", [0]),
    ("anvil_mine", [257]),
    ("evm_mine", [1]),
    ("evm_mine", [2**63]),
    ("evm_mine", [{"blocks": True}]),
]


@pytest.mark.parametrize(("method", "given"), BAD)
def test_bad_parameters_are_named(method: str, given: list[Any]) -> None:
    number, code, message = error_of(call(method, params=given))
    assert (number, code) == (1, -32602), message


@pytest.mark.parametrize("given", [{"a": 1}, "x", 5])
def test_parameters_by_name_are_not_taken(given: Any) -> None:
    assert error_of(call(params=given))[1] == -32602


def test_no_parameters_need_none() -> None:
    assert in_process({"jsonrpc": "2.0", "id": 1, "method": "net_version"})[1]["result"]


def test_a_body_has_a_kind_a_size_and_a_method() -> None:
    body = json.dumps(call()).encode()
    assert raw(body, "text/plain").status_code == 415
    assert raw(body + b" " * 256 * 1024).status_code == 413
    assert Client().get("/mockchain/").status_code == 405


def test_a_bug_is_an_internal_error_without_its_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(methods.METHODS, "eth_chainId", (0, 0, lambda _: 1 // 0))
    assert error_of(call()) == (1, -32603, "internal error")


def test_no_other_state_than_the_newest_is_kept() -> None:
    node = Node()
    node.mine(2)
    assert node("eth_getBalance", BUYER.address, "0x2") == "0x0"
    with pytest.raises(RpcFailed, match="missing trie node"):
        node("eth_getBalance", BUYER.address, "0x1")
    with pytest.raises(RpcFailed, match="header not found"):
        node("eth_getBalance", BUYER.address, "0x3")


@pytest.mark.parametrize(
    ("method", "given"),
    [
        ("eth_getBlockByNumber", ["0xffff", False]),
        ("eth_getBlockByHash", [HASH, False]),
        ("eth_getTransactionByHash", [HASH]),
        ("eth_getTransactionReceipt", [HASH]),
        ("anvil_dropTransaction", [HASH]),
    ],
)
def test_what_is_not_there_is_null(method: str, given: list[Any]) -> None:
    assert Node()(method, *given) is None


def test_logs_are_found_by_place_address_and_topics(monkeypatch: pytest.MonkeyPatch) -> None:
    node, shop, other = Node(), Person(32).address, Person(33).address
    node.fund(BUYER.address, tokens=100)
    for nonce, to in enumerate([shop, other, shop]):
        node.send(BUYER.sends_tokens(to, nonce + 1, nonce=nonce))
        node.mine()

    def amounts(**wanted: Any) -> list[int]:
        found = node("eth_getLogs", {"fromBlock": "0x0", **wanted})
        return [int(one["data"], 16) for one in found]

    [event, payer, payee] = node("eth_getLogs", {})[0]["topics"]
    assert amounts() == [1, 2, 3]
    assert amounts(topics=[event, None, [payee]]) == [1, 3]
    assert amounts(topics=[[event, HASH], payer]) == [1, 2, 3]
    assert amounts(topics=[None, payee]) == []
    assert amounts(topics=[HASH]) == []
    assert amounts(topics=[event, payer, payee, HASH]) == []
    assert amounts(address=[TOKEN, shop]) == [1, 2, 3]
    assert amounts(address=shop) == []
    assert amounts(toBlock="0x2") == [1, 2]
    assert amounts(fromBlock="0x2", toBlock="0x2") == [2]
    block = node("eth_getBlockByNumber", "0x2", False)["hash"]
    assert [one["blockHash"] for one in node("eth_getLogs", {"blockHash": block})] == [block]
    with pytest.raises(RpcFailed, match="unknown block"):
        node("eth_getLogs", {"blockHash": HASH})
    monkeypatch.setattr(methods, "MOST_RANGE", 2)
    with pytest.raises(RpcFailed, match="maximum block range: 2"):
        node("eth_getLogs", {"fromBlock": "earliest", "toBlock": "0x2"})


def test_every_method_of_the_contract_is_there() -> None:
    wanted = (
        "eth_chainId eth_blockNumber eth_getBalance eth_getTransactionCount eth_gasPrice "
        "eth_maxPriorityFeePerGas eth_feeHistory eth_estimateGas eth_call eth_getCode "
        "eth_sendRawTransaction eth_getTransactionByHash eth_getTransactionReceipt "
        "eth_getBlockByNumber eth_getBlockByHash eth_getLogs net_version web3_clientVersion "
        "evm_mine anvil_setBalance anvil_reorg anvil_dropTransaction"
    )
    assert set(wanted.split()) <= set(METHODS)


def test_the_token_is_the_only_contract() -> None:
    node = Node()
    assert node("eth_getCode", TOKEN, "latest") != "0x"
    assert node("eth_getCode", BUYER.address, "latest") == "0x"
    assert node("eth_call", {"to": BUYER.address, "data": "0x70a08231"}, "latest") == "0x"
    with pytest.raises(RpcFailed, match="3: execution reverted"):
        node("eth_call", {"to": TOKEN, "data": "0xdeadbeef"}, "latest")

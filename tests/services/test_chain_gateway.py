"""Whatever a provider answers becomes a typed value or a typed error, never something else."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import respx
import stamina

from payments.chain import gateway
from payments.chain.errors import BadAnswer, RpcRefused, Unreachable, WrongChain
from payments.chain.gateway import Call
from payments.chain.rules import transactions
from tests.factories.chain import TOKEN, Person

URL = "http://127.0.0.1:1/mockchain/"
HASH = "0x" + "ab" * 32
BUYER, SHOP = Person(41), Person(42).address


@pytest.fixture(autouse=True)
def _no_pauses() -> Iterator[None]:
    with stamina.set_testing(True, attempts=3, cap=True):
        yield


@pytest.fixture
def node() -> Iterator[respx.Route]:
    with respx.mock:
        yield respx.post(URL)


def saying(**answer: Any) -> Any:
    """The same answer to each call, with the call's own id."""

    def reply(request: httpx.Request) -> httpx.Response:
        asked = json.loads(request.content)
        many = asked if isinstance(asked, list) else [asked]
        found = [{"jsonrpc": "2.0", "id": one["id"], **answer} for one in many]
        return httpx.Response(200, json=found if isinstance(asked, list) else found[0])

    return reply


@pytest.mark.parametrize(
    "broken",
    [
        httpx.ConnectError("no"),
        httpx.ReadTimeout("late"),
        httpx.RemoteProtocolError("half"),
        *(httpx.Response(status, json={}) for status in (429, 500, 502, 503)),
    ],
)
def test_a_node_that_does_not_answer_is_asked_three_times(node: respx.Route, broken: Any) -> None:
    node.side_effect = [broken, broken, saying(result="0x5")]
    assert gateway.head_number() == 5
    node.side_effect = [broken] * 3
    with pytest.raises(Unreachable):
        gateway.head_number()
    assert node.call_count == 6


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, text="<html>Too many requests</html>"),
        httpx.Response(200, text=""),
        httpx.Response(200, text='{"jsonrpc": "2.0", "id"'),
        httpx.Response(200, text="[" * 100_000),
        httpx.Response(302, headers={"Location": "http://127.0.0.1:2/"}),
        httpx.Response(404, text="not found"),
        httpx.Response(200, json=None),
        httpx.Response(200, json=[]),
        httpx.Response(200, json="0x5"),
        httpx.Response(200, json={"result": "0x5"}),
        httpx.Response(200, json={"jsonrpc": "1.0", "id": 1, "result": "0x5"}),
        httpx.Response(200, json={"jsonrpc": "2.0", "id": -1, "result": "0x5"}),
        httpx.Response(200, json={"jsonrpc": "2.0", "id": True, "result": "0x5"}),
        httpx.Response(200, json={"jsonrpc": "2.0", "id": "1", "result": "0x5"}),
        httpx.Response(200, json={"jsonrpc": "2.0", "id": None, "result": "0x5"}),
    ],
)
def test_garbage_is_a_bad_answer(node: respx.Route, answer: httpx.Response) -> None:
    node.return_value = answer
    with pytest.raises(BadAnswer):
        gateway.head_number()


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"error": {"message": "no code"}},
        {"error": {"code": "5", "message": ""}},
        {"error": "no"},
        {"error": {"code": 1}, "result": "0x5"},
        *(
            {"result": result}
            for result in (None, 5, "5", "0x", "0x05", "0x-1", "latest", {}, True)
        ),
    ],
)
def test_a_number_that_is_none_is_a_bad_answer(node: respx.Route, answer: Any) -> None:
    node.side_effect = saying(**answer)
    with pytest.raises(BadAnswer):
        gateway.head_number()


def test_no_answer_is_read_without_end(node: respx.Route, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway, "LARGEST_ANSWER", 100)
    node.return_value = httpx.Response(200, text=" " * 101)
    with pytest.raises(BadAnswer, match="too large"):
        gateway.head_number()


def test_a_refusal_is_told_with_its_code(node: respx.Route) -> None:
    node.side_effect = saying(error={"code": -32601, "message": "no such method"})
    with pytest.raises(RpcRefused, match="no such method") as caught:
        gateway.head_number()
    assert (caught.value.code, node.call_count) == (-32601, 1)


def test_a_proper_error_with_http_400_is_a_refusal(node: respx.Route) -> None:
    refused = {"jsonrpc": "2.0", "id": None, "error": {"code": -32600, "message": "invalid"}}
    node.return_value = httpx.Response(400, json=refused)
    with pytest.raises(RpcRefused, match="invalid"):
        gateway.head_number()


@pytest.mark.parametrize("code", [-32603, -32005])
def test_what_may_pass_is_asked_again(node: respx.Route, code: int) -> None:
    node.side_effect = saying(error={"code": code, "message": "limit exceeded"})
    with pytest.raises(Unreachable, match="limit"):
        gateway.head_number()
    assert node.call_count == 3


def test_a_null_error_beside_a_result_is_no_error(node: respx.Route) -> None:
    node.side_effect = saying(result="0x5", error=None)
    assert gateway.head_number() == 5


def test_a_batch_is_put_in_order_again(node: respx.Route) -> None:
    def reply(request: httpx.Request) -> httpx.Response:
        asked = json.loads(request.content)
        found = [{"jsonrpc": "2.0", "id": one["id"], "result": one["method"]} for one in asked]
        return httpx.Response(200, json=found[::-1])

    node.side_effect = reply
    assert gateway.batch([Call("a"), Call("b"), Call("c")]) == ["a", "b", "c"]
    assert gateway.batch([]) == []
    with pytest.raises(ValueError, match="100"):
        gateway.batch([Call("a")] * 101)


def test_a_batch_with_an_answer_too_few_is_a_bad_answer(node: respx.Route) -> None:
    def reply(request: httpx.Request) -> httpx.Response:
        one = json.loads(request.content)[0]
        return httpx.Response(200, json=[{"jsonrpc": "2.0", "id": one["id"], "result": "0x1"}])

    node.side_effect = reply
    with pytest.raises(BadAnswer, match="other calls"):
        gateway.balances([SHOP, BUYER.address])


def test_one_refusal_in_a_batch_leaves_the_others(node: respx.Route) -> None:
    def reply(request: httpx.Request) -> httpx.Response:
        first, second = json.loads(request.content)
        refused = {"code": 3, "message": "execution reverted"}
        return httpx.Response(
            200,
            json=[
                {"jsonrpc": "2.0", "id": first["id"], "result": "0x1"},
                {"jsonrpc": "2.0", "id": second["id"], "error": refused},
            ],
        )

    node.side_effect = reply
    first, second = gateway.batch([Call("a"), Call("b")])
    assert (first, str(second)) == ("0x1", "3: execution reverted")
    with pytest.raises(RpcRefused):
        gateway.balances([SHOP, BUYER.address])


def test_another_chain_than_the_settings_name_is_found_out(node: respx.Route) -> None:
    node.side_effect = saying(result="0x1")
    with pytest.raises(WrongChain, match="31337, the node says 1"):
        gateway.chain_verify()


def test_a_token_that_is_not_there_is_no_balance_of_zero(node: respx.Route) -> None:
    node.side_effect = saying(result="0x")
    with pytest.raises(BadAnswer, match="32 bytes"):
        gateway.token_balance(TOKEN, SHOP)


def test_a_transaction_that_is_sent_keeps_its_hash(node: respx.Route) -> None:
    signed = BUYER.pays(SHOP)
    node.side_effect = saying(result=signed.hash)
    assert gateway.send_raw(signed.raw) == signed.hash
    node.side_effect = saying(result=HASH)
    with pytest.raises(BadAnswer, match="another hash"):
        gateway.send_raw(signed.raw)


def test_a_lost_answer_to_a_sent_transaction_is_no_loss(node: respx.Route) -> None:
    signed = BUYER.pays(SHOP)
    known = {
        "hash": signed.hash,
        "from": BUYER.address,
        "to": SHOP,
        "value": "0x1",
        "nonce": "0x0",
        "input": "0x",
    }
    lost, again = httpx.ReadTimeout("late"), saying(error={"code": -32000, "message": "known"})
    node.side_effect = [lost, again, saying(result=known)]
    assert gateway.send_raw(signed.raw) == signed.hash
    node.side_effect = [lost, again, saying(result=None)]
    with pytest.raises(RpcRefused, match="known"):
        gateway.send_raw(signed.raw)


def test_what_is_no_transaction_is_never_sent(node: respx.Route) -> None:
    with pytest.raises(transactions.TransactionRefused):
        gateway.send_raw(b"\x02\xc0")
    assert node.call_count == 0

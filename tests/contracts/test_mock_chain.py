"""The mock chain does with transactions what an Ethereum node does with them."""

from typing import Any

import pytest

from payments.chain.node import rules, services
from payments.chain.node.models import MockBlock, MockTransaction
from tests.factories.chain import ETHER, GWEI, TOKEN, Node, Person, RpcFailed

pytestmark = pytest.mark.django_db
BUYER, SHOP, STRANGER = Person(11), Person(12).address, Person(13)


@pytest.fixture
def node() -> Node:
    found = Node()
    found.fund(BUYER.address, wei=10 * ETHER, tokens=50_000_000)
    return found


def refused(node: Node, signed: Any) -> str:
    with pytest.raises(RpcFailed) as caught:
        node.send(signed)
    assert caught.value.code == -32000
    return str(caught.value.message)


def test_a_payment_moves_its_value_and_burns_its_fee(node: Node) -> None:
    signed = BUYER.pays(SHOP)
    assert node.send(signed) == signed.hash
    assert node.receipt(signed.hash) is None
    node.mine()
    receipt = node.receipt(signed.hash)
    block = node("eth_getBlockByNumber", receipt["blockNumber"], False)
    price, base = int(receipt["effectiveGasPrice"], 16), int(block["baseFeePerGas"], 16)
    assert (receipt["status"], receipt["gasUsed"]) == ("0x1", hex(21_000))
    assert price == base + 2 * GWEI
    assert node.balance(BUYER.address) == 10 * ETHER - ETHER - 21_000 * price
    assert node.balance(SHOP) == ETHER
    assert node.balance(rules.MINER) == 21_000 * 2 * GWEI
    assert node.nonce(BUYER.address) == 1


def test_a_token_transfer_leaves_a_log(node: Node) -> None:
    signed = BUYER.sends_tokens(SHOP, 5_000_000)
    node.send(signed)
    node.mine()
    [log] = node.receipt(signed.hash)["logs"]
    assert log["address"] == TOKEN.lower()
    assert [int(topic, 16) for topic in log["topics"][1:]] == [
        int(BUYER.address, 16),
        int(SHOP, 16),
    ]
    assert int(log["data"], 16) == 5_000_000
    assert (node.tokens(BUYER.address), node.tokens(SHOP)) == (45_000_000, 5_000_000)
    assert node("eth_getLogs", {"fromBlock": "0x0", "address": TOKEN}) == [log]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"chain_id": 1}, "invalid chain id for signer: have 1 want 31337"),
        ({"gas": 20_999}, "intrinsic gas too low: gas 20999, minimum needed 21000"),
        ({"gas": 30_000_001}, "exceeds block gas limit"),
        ({"value": 10 * ETHER}, "insufficient funds for gas * price + value: balance"),
        ({"data": b"\x00\x01"}, "intrinsic gas too low: gas 21000, minimum needed 21020"),
    ],
)
def test_the_words_of_refusals_are_geths(node: Node, changes: Any, words: str) -> None:
    assert refused(node, BUYER.pays(SHOP, **changes)).startswith(words)


def test_no_contract_is_made(node: Node) -> None:
    assert "contract creation" in refused(node, BUYER.pays(None, gas=100_000))  # type: ignore[arg-type]


def test_the_same_transaction_is_already_known(node: Node) -> None:
    signed = BUYER.pays(SHOP)
    node.send(signed)
    assert refused(node, signed) == "already known"
    node.mine()
    assert refused(node, signed) == "nonce too low: next nonce 1, tx nonce 0"


def test_balances_cover_all_that_waits(node: Node) -> None:
    node.send(BUYER.pays(SHOP, value=6 * ETHER))
    assert refused(node, BUYER.pays(SHOP, value=6 * ETHER, nonce=1)).startswith("insufficient")


def test_a_replacement_needs_a_tenth_more_of_both_fees(node: Node) -> None:
    first = BUYER.pays(SHOP, tip=10 * GWEI, max_fee=20 * GWEI)
    node.send(first)
    for tip, max_fee in [(11, 21), (10, 22), (10, 20)]:
        again = BUYER.pays(SHOP, value=5, tip=tip * GWEI, max_fee=max_fee * GWEI)
        assert refused(node, again) == "replacement transaction underpriced"
    second = BUYER.pays(SHOP, value=5, tip=11 * GWEI, max_fee=22 * GWEI)
    node.send(second)
    assert node("eth_getTransactionByHash", first.hash) is None
    node.mine()
    assert node.receipt(second.hash)["status"] == "0x1"
    assert node.balance(SHOP) == 5


def test_nonces_are_taken_in_order(node: Node) -> None:
    ahead = BUYER.pays(SHOP, nonce=1)
    node.send(ahead)
    assert (node.nonce(BUYER.address), node.nonce(BUYER.address, "pending")) == (0, 0)
    node.mine()
    assert node.receipt(ahead.hash) is None
    first = BUYER.pays(SHOP)
    node.send(first)
    assert node.nonce(BUYER.address, "pending") == 2
    node.mine()
    places = [node.receipt(one.hash)["transactionIndex"] for one in (first, ahead)]
    assert places == ["0x0", "0x1"]


def test_a_better_tip_comes_first(node: Node) -> None:
    node.fund(STRANGER.address)
    low, high = BUYER.pays(SHOP, tip=GWEI), STRANGER.pays(SHOP, tip=3 * GWEI)
    node.send(low)
    node.send(high)
    node.mine()
    block = node("eth_getBlockByNumber", "latest", False)
    assert block["transactions"] == [high.hash, low.hash]
    receipts = [node.receipt(one.hash) for one in (high, low)]
    assert [one["cumulativeGasUsed"] for one in receipts] == [hex(21_000), hex(42_000)]


def test_a_fee_below_the_base_fee_waits(node: Node) -> None:
    signed = BUYER.pays(SHOP, tip=1, max_fee=GWEI - 1)
    node.send(signed)
    node.mine()
    assert node.receipt(signed.hash) is None


def test_tokens_that_are_not_there_fail_in_their_block(node: Node) -> None:
    signed = BUYER.sends_tokens(SHOP, 50_000_001)
    node.send(signed)
    node.mine()
    receipt = node.receipt(signed.hash)
    assert (receipt["status"], receipt["logs"]) == ("0x0", [])
    fee = int(receipt["gasUsed"], 16) * int(receipt["effectiveGasPrice"], 16)
    assert node.balance(BUYER.address) == 10 * ETHER - fee
    assert (node.nonce(BUYER.address), node.tokens(SHOP)) == (1, 0)


@pytest.mark.parametrize(
    "changes", [{"gas": 30_000}, {"value": 1}, {"data": b"\x01\x02\x03\x04"}, {"data": b""}]
)
def test_a_call_that_the_token_does_not_take_fails(node: Node, changes: Any) -> None:
    signed = BUYER.sends_tokens(SHOP, 5, **changes)
    node.send(signed)
    node.mine()
    assert node.receipt(signed.hash)["status"] == "0x0"
    assert (node.tokens(SHOP), node.balance(TOKEN)) == (0, 0)


def test_a_payment_can_be_made_to_fail(node: Node) -> None:
    signed = BUYER.pays(SHOP)
    node.send(signed)
    assert node("mockchain_failTransaction", signed.hash)
    node.mine()
    assert node.receipt(signed.hash)["status"] == "0x0"
    assert (node.balance(SHOP), node.nonce(BUYER.address)) == (0, 1)
    assert not node("mockchain_failTransaction", signed.hash)


def test_a_reorg_takes_a_payment_back_and_a_block_gives_it_again(node: Node) -> None:
    signed, tokens = BUYER.pays(SHOP), BUYER.sends_tokens(SHOP, 7, nonce=1)
    node.send(signed)
    node.send(tokens)
    height = node.mine(2) - 1
    before = node.receipt(signed.hash)
    assert before["blockNumber"] == hex(height)
    node("anvil_reorg", 2, [])
    assert node.height() == height + 1
    assert node.receipt(signed.hash) is None
    assert node("eth_getTransactionByHash", signed.hash)["blockHash"] is None
    assert node("eth_getBlockByHash", before["blockHash"], False) is None
    assert (node.balance(SHOP), node.tokens(SHOP), node.nonce(BUYER.address)) == (0, 0, 0)
    assert (node.balance(BUYER.address), node.balance(rules.MINER)) == (10 * ETHER, 0)
    assert node("eth_getLogs", {"fromBlock": "0x0"}) == []
    node.mine()
    after = node.receipt(signed.hash)
    assert (after["blockNumber"], after["status"]) == (hex(height + 2), "0x1")
    assert (node.balance(SHOP), node.tokens(SHOP)) == (ETHER, 7)


def test_a_chain_goes_back_no_further_than_its_first_block(node: Node) -> None:
    node.mine(3)
    for depth in (0, 4):
        with pytest.raises(RpcFailed, match="-32602"):
            node("anvil_reorg", depth)
    node("anvil_reorg", 3)
    assert node.height() == 3


def test_what_was_given_survives_a_reorg(node: Node) -> None:
    node.send(BUYER.pays(SHOP))
    node.mine()
    node("anvil_setBalance", SHOP, "0x0")
    node("anvil_reorg", 1)
    assert node.balance(SHOP) == 0


def test_blocks_are_a_chain_of_hashes(node: Node) -> None:
    node.send(BUYER.sends_tokens(SHOP, 5))
    node.mine(3)
    blocks = [node("eth_getBlockByNumber", hex(number), True) for number in range(4)]
    assert [one["parentHash"] for one in blocks[1:]] == [one["hash"] for one in blocks[:-1]]
    assert len({one["hash"] for one in blocks}) == 4
    assert [node("eth_getBlockByHash", one["hash"], True) for one in blocks] == blocks
    assert int(blocks[1]["logsBloom"], 16).bit_count() in range(6, 13)
    assert blocks[1]["transactions"][0]["from"] == BUYER.address.lower()


def test_a_dropped_transaction_is_forgotten_and_its_nonce_free(node: Node) -> None:
    signed = BUYER.pays(SHOP)
    node.send(signed)
    assert node("anvil_dropTransaction", signed.hash) == signed.hash
    assert node("anvil_dropTransaction", signed.hash) is None
    assert node("eth_getTransactionByHash", signed.hash) is None
    node.send(BUYER.pays(SHOP, value=3, tip=1))
    node.mine()
    assert node.balance(SHOP) == 3
    assert node("anvil_dropTransaction", signed.hash) is None


def test_full_blocks_cost_more_and_empty_ones_less() -> None:
    assert rules.next_base_fee(8 * GWEI, rules.GAS_LIMIT) == 9 * GWEI
    assert rules.next_base_fee(8 * GWEI, rules.GAS_LIMIT // 2) == 8 * GWEI
    assert rules.next_base_fee(8 * GWEI, 0) == 7 * GWEI
    assert rules.next_base_fee(GWEI, 0) == GWEI


def test_a_block_has_an_end(node: Node) -> None:
    node.fund(STRANGER.address)
    node.send(BUYER.pays(SHOP, gas=29_990_000))
    node.send(STRANGER.pays(SHOP, gas=29_990_000))
    node.mine()
    assert MockTransaction.objects.filter(block=None).count() == 1


def test_amounts_longer_than_a_float_are_exact(node: Node) -> None:
    wei = 10**60
    node.fund(BUYER.address, wei=wei)
    signed = BUYER.pays(SHOP, value=wei - ETHER + 1)
    node.send(signed)
    node.mine()
    assert node.balance(SHOP) == wei - ETHER + 1
    with pytest.raises(RpcFailed, match=r"10\^60"):
        node.fund(BUYER.address, wei=wei + 1)


def test_the_clock_mines_while_there_is_something_to_wait_for(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services.blocks, "CALM_AFTER", 3)
    assert not services.blocks_mine_due()
    node.send(BUYER.pays(SHOP))
    assert [services.blocks_mine_due() for _ in range(6)] == [True, True, True, True, False, False]


def test_the_first_use_makes_the_first_block() -> None:
    assert not MockBlock.objects.exists()
    assert Node().height() == 0
    assert Node()("eth_getBlockByNumber", "earliest", False)["parentHash"] == rules.NO_HASH

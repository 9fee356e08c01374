"""web3.py, ethers and the shop's own client on the mock chain, unchanged, over real HTTP."""

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction

from config import invariants
from payments.chain import gateway
from payments.chain.errors import RpcRefused, TransactionRefused
from payments.chain.rules import amounts, transfers
from payments.chain.rules.hexes import text
from payments.checkout.services import order_place
from payments.crypto import services
from payments.intake.models import Payment
from tests.factories.chain import ETHER, TOKEN, Node, Person, over_http
from tests.factories.market import priced
from tests.factories.shop import ProductFactory
from tests.factories.users import UserFactory

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / ".ci"))

import nodetools  # found by the line above

pytestmark = pytest.mark.django_db(transaction=True)
SCRIPT = Path(__file__).with_name("ethers_pays.cjs")
BUYER, SHOP = Person(21), Person(22).address
ABI: Any = [
    {
        "type": "function",
        "name": "transfer",
        "stateMutability": "nonpayable",
        "inputs": [{"name": "to", "type": "address"}, {"name": "amount", "type": "uint256"}],
        "outputs": [{"name": "", "type": "bool"}],
    },
    *(
        {
            "type": "function",
            "name": name,
            "stateMutability": "view",
            "inputs": inputs,
            "outputs": [{"name": "", "type": kind}],
        }
        for name, inputs, kind in [
            ("balanceOf", [{"name": "owner", "type": "address"}], "uint256"),
            ("decimals", [], "uint8"),
            ("symbol", [], "string"),
            ("name", [], "string"),
            ("totalSupply", [], "uint256"),
        ]
    ),
    {
        "type": "event",
        "name": "Transfer",
        "anonymous": False,
        "inputs": [
            {"name": "from", "type": "address", "indexed": True},
            {"name": "to", "type": "address", "indexed": True},
            {"name": "amount", "type": "uint256", "indexed": False},
        ],
    },
]


@pytest.fixture
def theirs() -> Any:
    return importlib.import_module("tests.factories.ethereum")


@pytest.fixture
def url(live_server: Any) -> str:
    return f"{live_server.url}/mockchain/"


@pytest.fixture
def node(url: str) -> Node:
    found = Node(over_http(url))
    found.fund(BUYER.address, wei=10 * ETHER, tokens=50_000_000)
    return found


def test_web3_pays_coins_and_tokens(url: str, node: Node, theirs: Any) -> None:
    web3 = theirs.Web3(theirs.Web3.HTTPProvider(url))
    account = web3.eth.account.from_key(BUYER.key)
    assert (web3.is_connected(), web3.eth.chain_id, web3.net.version) == (True, 31337, "31337")

    def paid(body: Any) -> Any:
        signed = account.sign_transaction(body)
        tx_hash = web3.eth.send_raw_transaction(signed.raw_transaction)
        assert web3.eth.get_transaction(tx_hash)["from"] == account.address
        node.mine()
        return web3.eth.wait_for_transaction_receipt(tx_hash, timeout=120)

    fees = {
        "chainId": web3.eth.chain_id,
        "nonce": web3.eth.get_transaction_count(account.address, "pending"),
        "maxPriorityFeePerGas": web3.eth.max_priority_fee,
        "maxFeePerGas": 2 * web3.eth.gas_price,
    }
    native = {"to": SHOP, "value": web3.to_wei("0.25", "ether"), **fees}
    receipt = paid({**native, "gas": web3.eth.estimate_gas({"from": account.address, **native})})
    assert (receipt["status"], web3.eth.get_balance(SHOP)) == (1, ETHER // 4)

    token = web3.eth.contract(TOKEN, abi=ABI)
    # It asks for gas, fees and nonce by itself.
    built = token.functions.transfer(SHOP, 1_500_000).build_transaction({"from": account.address})
    receipt = paid({**built, "nonce": web3.eth.get_transaction_count(account.address)})
    [event] = token.events.Transfer().process_receipt(receipt)
    assert event["args"] == {"from": account.address, "to": SHOP, "amount": 1_500_000}
    assert list(token.events.Transfer.get_logs(from_block=0, argument_filters={"to": SHOP}))
    assert token.functions.balanceOf(SHOP).call() == 1_500_000
    assert (token.functions.symbol().call(), token.functions.decimals().call()) == ("USDC", 6)
    assert token.functions.totalSupply().call() == 50_000_000
    block = web3.eth.get_block("latest", full_transactions=True)
    assert block["transactions"][0]["hash"] == receipt["transactionHash"]
    assert len(web3.eth.fee_history(2, "latest", [10.0, 90.0])["reward"]) == 2

    with pytest.raises(theirs.Web3RPCError, match="nonce too low"):
        web3.eth.send_raw_transaction(BUYER.pays(SHOP).raw)
    with pytest.raises(theirs.ContractLogicError):
        token.functions.transfer(SHOP, 10**30).estimate_gas({"from": account.address})


def test_ethers_pays_coins_and_tokens(url: str, node: Node) -> None:
    environment = {**os.environ, "NODE_PATH": str(nodetools.packages() / "node_modules")}
    done = subprocess.run(
        [str(nodetools.node() / "bin" / "node"), SCRIPT, url, text(BUYER.key), SHOP, TOKEN],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "chainId": 31337,
        "status": [1, 1],
        "events": [[BUYER.address, SHOP, "1500000"]],
        "logs": 1,
        "coins": str(ETHER // 4),
        "tokens": "1500000",
        "decimals": 6,
        "symbol": "USDC",
        "nonce": 2,
        "errors": ["CALL_EXCEPTION", "NONCE_EXPIRED"],
        "rewards": 2,
    }


def test_the_shops_client_sees_a_payment_come_go_and_come_back(
    url: str, node: Node, settings: Any
) -> None:
    settings.CHAIN_RPC_URL = url
    gateway.chain_verify()
    signed = BUYER.sends_tokens(SHOP, 7_000_000)
    funds = gateway.funds(BUYER.address, TOKEN)
    paid = transfers.check(signed, chain_id=31337, address=SHOP, token=TOKEN, funds=funds)
    assert paid == 7_000_000
    assert gateway.send_raw(signed.raw) == signed.hash
    assert gateway.send_raw(signed.raw) == signed.hash
    assert gateway.receipt(signed.hash) is None
    first = proven_after_a_block(node, signed.hash)
    assert gateway.token_balance(TOKEN, SHOP) == 7_000_000
    assert gateway.balances([BUYER.address, SHOP]) == [gateway.balance(BUYER.address), 0]

    node("anvil_reorg", 1)
    transaction, receipt = gateway.inclusion(signed.hash)
    assert (receipt, transaction and transaction.block_hash) == (None, None)
    assert gateway.block(first.block_hash) is None
    again = proven_after_a_block(node, signed.hash)
    assert (again.tx_hash, again.ordinal) == (first.tx_hash, first.ordinal)
    assert again.block_hash != first.block_hash
    # Its answer was lost and its nonce is used, by itself: that is no refusal.
    assert gateway.send_raw(signed.raw) == signed.hash
    with pytest.raises(RpcRefused, match="nonce too low"):
        gateway.send_raw(BUYER.pays(SHOP).raw)
    with pytest.raises(TransactionRefused, match="nonce"):
        transfers.check(
            signed,
            chain_id=31337,
            address=SHOP,
            token=TOKEN,
            funds=gateway.funds(BUYER.address, TOKEN),
        )
    fees = gateway.fees()
    assert fees.max_fee > fees.tip > 0
    assert gateway.estimate_gas(sender=BUYER.address, to=SHOP, value=1) == 21_000


def proven_after_a_block(node: Node, tx_hash: str) -> transfers.Transfer:
    """The one transfer that the chain proves, found by its hash and by the address alike."""
    head = node.mine()
    transaction, receipt = gateway.inclusion(tx_hash)
    assert transaction is not None
    assert receipt is not None
    assert amounts.confirmations(gateway.head_number(), receipt.block_number) == 1
    [log] = gateway.token_transfers(TOKEN, to=[SHOP], first=0, last=head)
    assert log.tx_hash == tx_hash
    blocks = gateway.blocks(0, head + 5)
    assert [one.parent_hash for one in blocks[1:]] == [one.hash for one in blocks[:-1]]
    assert blocks[-1] == gateway.block("latest")
    [found] = transfers.proven(transaction, receipt)
    return found


@pytest.fixture
def order(url: str, node: Node, settings: Any) -> Payment:
    """Of 500 USD, a quarter of a coin; the shop's watcher looks at the chain over HTTP as well."""
    settings.CHAIN_RPC_URL = url
    priced("ethereum", "2000")
    with transaction.atomic():
        product = ProductFactory(stock=1, list_price=50_000)
    placed = order_place(
        user_id=UserFactory().pk, quantities={product.slug: 1}, method="crypto", token="ETH"
    )
    services.watch()
    return placed.payment


def test_an_order_is_paid_with_web3(url: str, node: Node, theirs: Any, order: Payment) -> None:
    web3 = theirs.Web3(theirs.Web3.HTTPProvider(url))
    account = web3.eth.account.from_key(BUYER.key)
    web3.middleware_onion.inject(theirs.SignAndSendRawMiddlewareBuilder.build(account), layer=0)
    to, amount = order.invoice.address, order.invoice.amount
    assert amount == ETHER // 4
    web3.eth.send_transaction({"from": account.address, "to": to, "value": amount})
    node.mine(6)
    services.watch()
    order.refresh_from_db()
    assert (order.status, order.captured) == ("succeeded", 50_000)


def test_an_order_is_paid_with_ethers(url: str, node: Node, order: Payment) -> None:
    """The script sends a token as well, which goes into the wallet."""
    environment = {**os.environ, "NODE_PATH": str(nodetools.packages() / "node_modules")}
    argv = [nodetools.node() / "bin" / "node", SCRIPT, url, text(BUYER.key)]
    subprocess.run(
        [*map(str, argv), order.invoice.address, TOKEN],
        env=environment,
        capture_output=True,
        timeout=120,
        check=True,
    )
    priced("usd-coin", "1")
    node.mine(6)
    services.watch()
    order.refresh_from_db()
    assert (order.status, order.captured, order.refunded) == ("succeeded", 50_150, 150)
    assert invariants.breaches() == []

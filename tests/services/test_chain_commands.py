"""`make wallet`, and a payment from the command line."""

import re
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from payments.chain import gateway
from tests.factories.chain import ETHER, TOKEN, Node, Person

SHOP = Person(72).address


@pytest.fixture
def node(db: None, monkeypatch: pytest.MonkeyPatch) -> Node:
    """The shop's client calls the mock chain without a socket."""
    found = Node()
    monkeypatch.setattr(gateway, "_post", lambda body: found.post(body)[1])
    return found


def said(text: str, name: str) -> str:
    found = re.search(rf"^  {name} +(\S+)", text, re.MULTILINE)
    assert found
    return found[1]


def test_a_wallet_has_coins_and_tokens_and_pays_with_them(node: Node, capsys: Any) -> None:
    call_command("chain_wallet")
    text = capsys.readouterr().out
    address, key = said(text, "address"), said(text, "private key")
    assert (said(text, "RPC URL"), said(text, "chain id"), said(text, "token")) == (
        "http://127.0.0.1:1/mockchain/",
        "31337",
        TOKEN,
    )
    assert (node.balance(address), node.tokens(address)) == (10 * ETHER, 10_000 * 10**6)
    call_command("chain_pay", key=key, to=SHOP, amount="0.25")
    call_command("chain_pay", key=key, to=SHOP, amount="1.5", token=TOKEN)
    node.mine()
    assert (node.balance(SHOP), node.tokens(SHOP)) == (ETHER // 4, 1_500_000)
    hashes = capsys.readouterr().out.split()
    assert [node.receipt(one)["status"] for one in hashes] == ["0x1", "0x1"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"key": "0x12"}, "bytes"),
        ({"key": "0x" + "00" * 32}, "Secret|secret"),
        ({"to": "0x12"}, "bytes"),
        ({"amount": "0.0000000000000000001"}, "no amount"),
        ({"amount": "1"}, "insufficient funds"),
        ({"amount": "1", "token": TOKEN}, "reverted"),
        ({"token": SHOP}, "32 bytes"),
    ],
)
def test_a_payment_that_cannot_be_says_why(node: Node, changes: Any, words: str) -> None:
    key = "0x" + Person(71).key.hex()
    with pytest.raises(CommandError, match=words):
        call_command("chain_pay", **{"key": key, "to": SHOP, "amount": "1"} | changes)


def test_another_chain_gives_no_coins(settings: Any) -> None:
    settings.MOCK_CHAIN = False
    with pytest.raises(CommandError, match="no mock chain"):
        call_command("chain_wallet")


def test_another_chain_than_the_one_set_gets_nothing(node: Node, monkeypatch: Any) -> None:
    monkeypatch.setattr(gateway, "chain_id", lambda: 1)
    with pytest.raises(CommandError, match="the node says 1"):
        call_command("chain_pay", key="0x" + "11" * 32, to=SHOP, amount="1")

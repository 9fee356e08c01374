"""Addresses, amounts, links, confirmations, and a node's answers."""

import hashlib
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from payments.chain.errors import BadAnswer
from payments.chain.rules import addresses, amounts, answers, deposits, hexes, transfers

# The examples of EIP-55.
CHECKSUMMED = [
    "0x52908400098527886E0F7030069857D2E4169EE7",
    "0x8617E340B3D01FA5F11F306F4090FD50E238070D",
    "0xde709f2102306220921060314715629080e2fb77",
    "0x27b1fdb04752bbc536007a920d24acb045561c26",
    "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
    "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
    "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
    "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
]
# The account m/44'/60'/0' of "test test … test junk", with which development nodes start.
XPUB = (
    "xpub6Ce9NcJvTk36xtLSrJLZqE7wtgA5deCeYs7rSQtreh4cj6ByPtrg9sD7V2FNFLPnf8heNP3FGkeV9qwfzvZNSd54Jo"
    "NXVsXFYSYwHsnJxqP"
)
XPRV = (
    "xprv9yeny6n2dNUokQFykGoZU6BDLeKbEBUoBeCFe2VF6MXdrHrprMYRc4tddncDRxrJCy7GtPDk68zRcgWtGFveqdCV5N"
    "yhZwVgMoZVbTm78vx"
)
# Test vector 2 of BIP-32: the chain m, and its public child m/0.
MASTER = (
    "xpub661MyMwAqRbcFW31YEwpkMuc5THy2PSt5bDMsktWQcFF8syAmRUapSCGu8ED9W6oDMSgv6Zz8idoc4a6mr8BDzTJY4"
    "7LJhkJ8UB7WEGuduB"
)
CHILD = (
    "xpub69H7F5d8KSRgmmdJg2KhpAK8SR3DjMwAdkxj3ZuxV27CprR9LgpeyGmXUbC6wb7ERfvrnKZjXoUmmDznezpbZb7ap6"
    "r1D3tgFxHmwMkQTPH"
)
ACCOUNTS = [
    "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
    "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
    "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC",
]
SHOP = ACCOUNTS[0]
TOKEN = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
HASH = "0x" + "ab" * 32


@pytest.mark.parametrize("address", CHECKSUMMED)
def test_addresses_have_the_checksum_of_eip_55(address: str) -> None:
    assert addresses.normal(address.lower()) == address
    assert addresses.normal("0x" + address[2:].upper()) == address
    assert addresses.normal(address) == address


@pytest.mark.parametrize(
    "address",
    [
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD",
        "5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "0X5aaeb6053f3e94c9b9a09f33669435e7ef1beaed",
        "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beae",
        "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaedd",
        "0xzzaeb6053f3e94c9b9a09f33669435e7ef1beaed",
        "",
        None,
        5,
    ],
)
def test_what_is_no_address_is_refused(address: Any) -> None:
    with pytest.raises(ValueError, match=r"address|hex|bytes"):
        addresses.parse(address)


def test_deposit_addresses_are_those_a_wallet_shows() -> None:
    assert [deposits.address_at(XPUB, index) for index in range(3)] == ACCOUNTS


def test_children_are_those_of_bip_32() -> None:
    found, wanted = deposits.extended_key(MASTER).child(0), deposits.extended_key(CHILD)
    assert (found.key, found.chain_code) == (wanted.key, wanted.chain_code)


@pytest.mark.parametrize(
    "key", [XPRV, "", "xpub1", XPUB[:-1], XPUB[:-1] + "Q", XPUB + "1", "0" + XPUB, "z" * 500]
)
def test_what_is_no_public_key_has_no_addresses(key: str) -> None:
    with pytest.raises(ValueError, match=r"key|substring"):
        deposits.address_at(key, 0)


def test_a_point_off_the_curve_is_no_public_key() -> None:
    with pytest.raises(ValueError, match="not an extended public key"):
        deposits.address_at(off_the_curve(), 0)


def off_the_curve() -> str:
    """An extended key with x = 5, which no point has, and the right checksum."""
    body = deposits.PUBLIC + bytes(41) + b"\x02" + (5).to_bytes(32, "big")
    check = hashlib.sha256(hashlib.sha256(body).digest()).digest()[:4]
    number, found = int.from_bytes(body + check, "big"), ""
    while number:
        number, rest = divmod(number, 58)
        found = deposits.ALPHABET[rest] + found
    return found


@pytest.mark.parametrize("index", [-1, 2**31])
def test_an_index_is_not_hardened(index: int) -> None:
    with pytest.raises(ValueError, match="index"):
        deposits.address_at(XPUB, index)


@pytest.mark.parametrize(
    ("text", "number"), [("0x0", 0), ("0x41", 65), ("0xF" + "f" * 63, hexes.MOST)]
)
def test_quantities_are_read(text: str, number: int) -> None:
    assert hexes.quantity(text) == number


@pytest.mark.parametrize(
    "text",
    ["0x", "0x00", "0x041", "41", 65, None, True, "0x4 ", "0x4\n", "-0x1", "0x1" + "0" * 64, "0xg"],
)
def test_anything_else_is_no_quantity(text: Any) -> None:
    with pytest.raises(ValueError, match="quantity"):
        hexes.quantity(text)


@pytest.mark.parametrize("text", ["", "0x0", "0x0g", "00", None, 1, "0x00\n"])
def test_half_bytes_are_no_data(text: Any) -> None:
    with pytest.raises(ValueError, match="hex"):
        hexes.data(text)


@pytest.mark.parametrize(
    ("amount", "decimals", "units"),
    [("0.41234567", 18, 412345670000000000), ("1", 6, 1_000_000), ("0.000001", 6, 1), ("0", 0, 0)],
)
def test_amounts_become_base_units_and_back(amount: str, decimals: int, units: int) -> None:
    assert amounts.to_base_units(Decimal(amount), decimals) == units
    assert Decimal(amounts.to_text(units, decimals)) == Decimal(amount)


def test_no_digit_is_lost_either_way() -> None:
    assert amounts.to_text(amounts.MOST_STORED, 18) == "9" * 47 + "." + "9" * 18
    assert amounts.to_text(1, 18) == "0.000000000000000001"
    for wrong in ("0.0000001", "-1", "1e65"):
        with pytest.raises(ValueError, match="no amount"):
            amounts.to_base_units(Decimal(wrong), 6)


def test_payment_links_are_those_of_eip_681() -> None:
    assert amounts.payment_uri(address=SHOP, amount=5, chain_id=1) == f"ethereum:{SHOP}@1?value=5"
    assert amounts.payment_uri(address=SHOP, amount=7, chain_id=5, token=TOKEN) == (
        f"ethereum:{TOKEN}@5/transfer?address={SHOP}&uint256=7"
    )


@pytest.mark.parametrize(("block", "count"), [(None, 0), (9, 0), (8, 1), (7, 2), (0, 9)])
def test_the_newest_block_is_one_confirmation(block: int | None, count: int) -> None:
    assert amounts.confirmations(8, block) == count


def log_answer(**changes: Any) -> dict[str, Any]:
    topics = [transfers.TRANSFERRED, transfers.address_topic(ACCOUNTS[1])]
    return {
        "address": TOKEN.lower(),
        "topics": [*topics, transfers.address_topic(SHOP)],
        "data": hexes.text(hexes.word(5)),
        "blockNumber": "0x7",
        "blockHash": HASH,
        "transactionHash": HASH,
        "logIndex": "0x9",
        "removed": False,
    } | changes


def receipt_answer(**changes: Any) -> dict[str, Any]:
    return {
        "transactionHash": HASH,
        "status": "0x1",
        "blockNumber": "0x7",
        "blockHash": HASH,
        "gasUsed": "0x5208",
        "effectiveGasPrice": "0x2",
        "logs": [log_answer()],
    } | changes


PAYMENT = answers.Transaction(
    hash=HASH,
    sender=ACCOUNTS[1],
    to=SHOP,
    value=3,
    nonce=0,
    data=b"",
    block_number=7,
    block_hash=HASH,
)
read_receipt = answers.reading(answers.receipt)


def proven(transaction: answers.Transaction = PAYMENT, **changes: Any) -> list[tuple[Any, ...]]:
    found = transfers.proven(transaction, read_receipt(receipt_answer(**changes)))
    return [(one.ordinal, one.token, one.to, one.amount) for one in found]


def test_a_receipt_proves_the_coins_and_each_transfer_by_its_place() -> None:
    logs = [log_answer(topics=[HASH]), log_answer(logIndex="0x33"), log_answer(data="0x")]
    assert proven(logs=logs) == [(-1, None, SHOP, 3), (1, TOKEN, SHOP, 5)]
    assert proven(replace(PAYMENT, value=0), logs=[]) == []
    assert proven(replace(PAYMENT, to=None), logs=[]) == []


def test_a_failed_transaction_proves_nothing() -> None:
    assert proven(status="0x0") == []


def test_a_receipt_of_another_block_is_a_bad_answer() -> None:
    with pytest.raises(BadAnswer, match="another"):
        proven(replace(PAYMENT, block_hash="0x" + "cd" * 32))


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "0x2"},
        {"status": None},
        {"blockHash": "0xab"},
        {"gasUsed": 21000},
        {"gasUsed": "0x05"},
        {"logs": None},
        {"logs": [None]},
        {"logs": [log_answer(topics="0x")]},
        {"logs": [log_answer(blockNumber=None)]},
        {"logs": [log_answer(address=TOKEN.swapcase())]},
    ],
)
def test_garbage_in_a_receipt_is_a_bad_answer(changes: dict[str, Any]) -> None:
    with pytest.raises(BadAnswer):
        read_receipt(receipt_answer(**changes))


@pytest.mark.parametrize("answer", [None, [], "0x", 5, {}])
def test_what_is_no_receipt_is_a_bad_answer(answer: Any) -> None:
    with pytest.raises(BadAnswer):
        read_receipt(answer)

"""Signed transactions: read as strictly as a node reads them, each failure with its own code."""

import importlib
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from payments.chain.errors import Reason, TransactionRefused
from payments.chain.rules import addresses, rlp, transactions, transfers
from payments.chain.rules.transactions import ORDER, Unsigned
from payments.chain.rules.transfers import Funds

# Two of Ethereum's own: coins, and 5,000 units of a token with six decimals.
COINS = (
    "0x02f870012b83059f6884ae9f364882520894dfaa75323fb721e5f29d43859390f62cc4b600b8874652436b698acb"
    "80c001a0bebdd83d9bc034e4824367e3f1cc0e8b8e4b24871eeba9ef8d36130d25c96129a04608841b2945b0ed090b"
    "c3c6fe56aef0077d6a5eb6b3416212fe727e7e2b68e1"
)
COINS_HASH = "0x5f5f13a49b282221223235a51cc3cb9fe6356321600310a2b97646bed757b352"
TOKENS = (
    "0x02f8b4018325554c847735940085022d0b7c608307a12094dac17f958d2ee523a2206206994597c13d831ec780b8"
    "44a9059cbb000000000000000000000000920ab45225b3057293e760a3c2d74643ad696a1b00000000000000000000"
    "0000000000000000000000000000000000012a05f200c080a009e2ef5a2c4b7a1d7f0d868388f3949a00a1bdc5669c"
    "59b73e57b2a4e7c5e29fa0754aa9f4f1acc99561678492a20c31e01da27d648e69665f7768f96db39220ca"
)
# The example of EIP-155: a transaction of the old kind.
EIP_155 = (
    "0xf86c098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a76400008025a028"
    "ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276a067cbe9d8997f761aecb703304b3800"
    "ccf555c9f3dc64214b297fb1966a3b6d83"
)
KEY = bytes.fromhex("46" * 32)
SENDER = "0x9d8A62f656a8d1615C1294fd71e9CFb3E4855A4F"
SHOP = "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"
OTHER = "0x2B5AD5c4795c026514f8317c7a215E218DcCD6cF"
TOKEN = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
BODY = Unsigned(
    chain_id=31337, nonce=3, tip=10**9, max_fee=3 * 10**9, gas=21_000, to=SHOP, value=10**17
)
RICH = Funds(nonce=3, balance=10**18, tokens=10**9)


@pytest.fixture(scope="module")
def theirs() -> Any:
    return importlib.import_module("tests.factories.ethereum")


def refusal(raw: Any, **changes: Any) -> TransactionRefused:
    with pytest.raises(TransactionRefused) as caught:
        transactions.decode(raw, **changes)
    return caught.value


def fields_of(signed: transactions.Signed) -> list[Any]:
    return list(rlp.decode(signed.raw[1:]))


def typed(fields: list[Any]) -> bytes:
    return b"\x02" + rlp.encode(fields)


def test_a_payment_of_ethereum_is_read(theirs: Any) -> None:
    signed = transactions.decode(COINS)
    assert signed.hash == COINS_HASH
    assert signed.sender == theirs.Account.recover_transaction(COINS)
    assert (signed.body.chain_id, signed.body.nonce, signed.body.gas) == (1, 43, 21_000)
    assert signed.body.to == addresses.normal("0xdfaa75323fb721e5f29d43859390f62cc4b600b8")
    assert signed.body.value == 0x4652436B698ACB


def test_a_token_transfer_of_ethereum_is_read(theirs: Any) -> None:
    signed = transactions.decode(TOKENS)
    assert signed.sender == theirs.Account.recover_transaction(TOKENS)
    usdt = "0xdAC17F958D2ee523a2206206994597C13D831ec7"
    payee = "0x920ab45225b3057293e760a3c2d74643ad696a1b"
    assert transfers.paid_to(signed.body, payee, usdt) == 5_000_000_000


def test_the_key_of_eip_155_signs_as_eth_account_does(theirs: Any) -> None:
    ours = transactions.sign(BODY, KEY)
    signed = theirs.Account.sign_transaction(
        {
            "type": 2,
            "chainId": 31337,
            "nonce": 3,
            "maxPriorityFeePerGas": 10**9,
            "maxFeePerGas": 3 * 10**9,
            "gas": 21_000,
            "to": SHOP,
            "value": 10**17,
        },
        KEY,
    )
    assert (ours.raw, ours.sender) == (bytes(signed.raw_transaction), SENDER)


def test_an_access_list_is_read_and_written(theirs: Any) -> None:
    body = replace(BODY, access_list=((bytes(20), (bytes(32), b"\x01" * 32)),))
    signed = transactions.sign(body, KEY)
    assert signed.body == body
    assert theirs.Account.recover_transaction(signed.raw) == SENDER


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "0x",
        "0x02",
        "02" + COINS[4:],
        "0x02zz",
        COINS + "0",
        COINS + "00",
        COINS[:-2],
        EIP_155,
        "0x01" + COINS[4:],
        "0x02c0",
        "0x02" + "c1" * 4000 + "c0",
        "0x02" + "ff" * 40,
        "0x02b8" + COINS[4:],
    ],
)
def test_what_is_no_transaction_of_type_2_is_malformed(raw: str) -> None:
    assert refusal(raw).code == "malformed"


def test_more_than_eight_kibibytes_are_malformed() -> None:
    signed = transactions.decode(transactions.sign(replace(BODY, data=bytes(8000)), KEY).raw)
    assert len(signed.raw) <= 8192
    with pytest.raises(TransactionRefused, match="8192"):
        transactions.sign(replace(BODY, data=bytes(8200)), KEY)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (1, b"\x00"),
        (1, b"\x00\x03"),
        (1, b"\xff" * 8),
        (1, b"\x01" + bytes(8)),
        (2, b"\x01" + bytes(31)),
        (3, b"\x01" * 33),
        (4, b"\x01" * 9),
        (5, b"\x01" * 19),
        (5, b"\x01" * 21),
        (6, [b"\x01"]),
        (7, []),
        (8, b""),
        (8, [b""]),
        (8, [[bytes(20), b""]]),
        (8, [[bytes(19), []]]),
        (8, [[bytes(20), [bytes(31)]]]),
    ],
)
def test_a_field_that_is_not_canonical_is_malformed(place: int, value: Any) -> None:
    fields = fields_of(transactions.sign(BODY, KEY))
    fields[place] = value
    assert refusal(typed(fields)).code == "malformed"


def test_fields_too_many_or_too_few_are_malformed() -> None:
    fields = fields_of(transactions.sign(BODY, KEY))
    assert refusal(typed(fields[:-1])).code == "malformed"
    assert refusal(typed([*fields, b""])).code == "malformed"


def test_a_tip_above_the_highest_fee_is_malformed() -> None:
    with pytest.raises(TransactionRefused, match="tip"):
        transactions.sign(replace(BODY, tip=4 * 10**9), KEY)


def with_signature(parity: int, r: int, s: int) -> bytes:
    fields = fields_of(transactions.sign(BODY, KEY))
    return typed([*fields[:9], *(rlp.number(one) for one in (parity, r, s))])


@pytest.mark.parametrize(
    ("parity", "r", "s"), [(0, 0, 1), (0, 1, 0), (2, 1, 1), (27, 1, 1), (0, ORDER, 1), (0, 5, 1)]
)
def test_a_signature_out_of_range_or_without_a_key_is_bad(parity: int, r: int, s: int) -> None:
    """There is no point of the curve with x = 5."""
    assert refusal(with_signature(parity, r, s)).code == "bad_signature"


def test_a_high_s_is_a_bad_signature_though_it_verifies() -> None:
    signed = transactions.sign(BODY, KEY)
    assert transactions.decode(with_signature(signed.y_parity, signed.r, signed.s)) == signed
    twin = with_signature(1 - signed.y_parity, signed.r, ORDER - signed.s)
    assert refusal(twin).code == "bad_signature"
    assert refusal(with_signature(0, signed.r, ORDER // 2 + 1)).code == "bad_signature"


def check(body: Unsigned = BODY, *, token: str | None = None, **changes: Any) -> int:
    given = {"chain_id": 31337, "address": SHOP, "token": token, "funds": RICH} | changes
    return transfers.check(transactions.sign(body, KEY), **given)


def token_body(to: str = SHOP, amount: int = 5_000_000) -> Unsigned:
    call = transfers.transfer_call(to, amount)
    return replace(BODY, to=TOKEN, value=0, gas=90_000, data=call)


def test_a_valid_payment_is_worth_its_value() -> None:
    assert check() == 10**17
    assert check(token_body(), token=TOKEN) == 5_000_000


@pytest.mark.parametrize(
    ("reason", "body", "changes"),
    [
        (Reason.WRONG_CHAIN, replace(BODY, chain_id=1), {}),
        (Reason.WRONG_RECIPIENT, replace(BODY, to=OTHER), {}),
        (Reason.WRONG_RECIPIENT, replace(BODY, to=None), {}),
        (Reason.WRONG_RECIPIENT, replace(BODY, value=0), {}),
        (Reason.WRONG_RECIPIENT, BODY, {"token": TOKEN}),
        (Reason.WRONG_RECIPIENT, token_body(OTHER), {"token": TOKEN}),
        (Reason.WRONG_RECIPIENT, token_body(amount=0), {"token": TOKEN}),
        (Reason.WRONG_RECIPIENT, replace(token_body(), to=OTHER), {"token": TOKEN}),
        (Reason.WRONG_RECIPIENT, replace(token_body(), value=1), {"token": TOKEN}),
        (Reason.WRONG_RECIPIENT, token_body(), {}),
        (Reason.NONCE_TOO_LOW, BODY, {"funds": replace(RICH, nonce=4)}),
        (Reason.INSUFFICIENT_FUNDS, BODY, {"funds": replace(RICH, balance=BODY.cost - 1)}),
        (Reason.INSUFFICIENT_FUNDS, token_body(), {"token": TOKEN, "funds": Funds(3, 10**18, 4)}),
        (Reason.INSUFFICIENT_FUNDS, token_body(), {"token": TOKEN, "funds": Funds(3, 9, 10**9)}),
        (Reason.ALREADY_CREDITED, BODY, {"credited": True, "funds": replace(RICH, nonce=4)}),
    ],
)
def test_each_failure_has_its_code(reason: Reason, body: Unsigned, changes: Any) -> None:
    with pytest.raises(TransactionRefused) as caught:
        check(body, **changes)
    assert (caught.value.code, caught.value.status) == (reason.value, 422)


@pytest.mark.parametrize("cut", [67, 69, 100])
def test_a_transfer_with_more_or_fewer_bytes_pays_nothing(cut: int) -> None:
    payload = transfers.transfer_call(SHOP, 5).ljust(100, b"\0")[:cut]
    with pytest.raises(TransactionRefused, match="address"):
        check(replace(token_body(), data=payload), token=TOKEN)


def test_a_balance_that_covers_it_to_the_wei_is_enough() -> None:
    assert check(funds=replace(RICH, balance=BODY.cost)) == 10**17


def test_a_nonce_ahead_of_its_turn_is_no_failure() -> None:
    assert check(replace(BODY, nonce=9)) == 10**17


def test_a_changed_digit_recovers_somebody_else() -> None:
    signed = transactions.sign(BODY, KEY)
    fields = fields_of(signed)
    fields[6] = rlp.number(BODY.value + 1)
    assert transactions.decode(typed(fields)).sender != SENDER


def test_a_replacement_costs_a_tenth_more_rounded_up() -> None:
    higher = transactions.with_higher_fees(replace(BODY, tip=11, max_fee=101))
    assert (higher.tip, higher.max_fee) == (13, 112)


ITEMS = st.recursive(st.binary(max_size=80), lambda some: st.lists(some, max_size=4), max_leaves=12)


@settings(max_examples=100, deadline=None)
@given(item=ITEMS)
def test_rlp_is_the_librarys(theirs: Any, item: Any) -> None:
    assert rlp.encode(item) == theirs.rlp.encode(item)
    assert rlp.decode(theirs.rlp.encode(item)) == item


@settings(max_examples=300, deadline=None)
@given(raw=st.binary(max_size=12))
def test_rlp_refuses_what_the_library_refuses(theirs: Any, raw: bytes) -> None:
    def read(module: Any) -> Any:
        try:
            return module.decode(raw)
        except (ValueError, theirs.rlp.exceptions.RLPException):
            return ValueError

    assert read(rlp) == read(theirs.rlp)

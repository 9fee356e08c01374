"""What a payer is told, and how the missing part is asked for."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.qr import payment_qr
from payments.checkout.paying.rules import Coins, Stage, amount_of, link_for, stage
from payments.intake.rules import Reason, Status

TOKEN = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"


@pytest.mark.parametrize("status", Status)
def test_without_coins_a_status_is_its_own_stage(status: Status) -> None:
    assert stage(status, "", is_over=False, coins=None) == status


def test_only_an_awaited_payment_can_be_over() -> None:
    found = {status: stage(status, "", is_over=True, coins=None) for status in Status}
    assert found.pop(Status.AWAITING) is Stage.OVER
    assert all(stage == status for status, stage in found.items())


@pytest.mark.parametrize(("received", "expected"), [(0, False), (1, True), (9, True), (10, False)])
def test_a_part_is_more_than_nothing_and_less_than_all(received: int, expected: bool) -> None:
    found = stage(Status.AWAITING, "", is_over=False, coins=Coins(10, received))
    assert (found is Stage.PART_PAID) is expected


@pytest.mark.parametrize("reason", sorted(set(Reason) - {Reason.UNDERPAID}))
def test_no_other_review_asks_for_more(reason: Reason) -> None:
    assert stage(Status.REVIEW, reason, is_over=False, coins=Coins(10, 3)) is Stage.REVIEW


@given(st.integers(1, 10**77), st.integers(0, 18), st.data())
def test_an_amount_in_the_tokens_own_unit_loses_no_unit(
    asked: int, decimals: int, data: st.DataObject
) -> None:
    units = data.draw(st.integers(0, asked))
    whole = f"{asked}E-{decimals}"
    text = amount_of(units, asked=asked, amount=format(Decimal(whole), "f"))
    assert Decimal(text) == Decimal(f"{units}E-{decimals}")
    assert "E" not in text


def test_a_link_of_a_token_asks_for_the_rest_and_keeps_the_address() -> None:
    link = f"ethereum:{TOKEN}@1/transfer?address=0x01&uint256=5000000"
    assert link_for(link, 12) == f"ethereum:{TOKEN}@1/transfer?address=0x01&uint256=12"
    assert link_for("ethereum:0x01@1?value=9", 4) == "ethereum:0x01@1?value=4"


def test_a_code_is_an_svg_without_the_text_in_it_and_without_styles() -> None:
    drawn = payment_qr(f"ethereum:{TOKEN}@1/transfer?address={TOKEN}&uint256=5000000")
    assert drawn.startswith("<svg")
    assert drawn.endswith("</svg>")
    assert TOKEN not in drawn
    assert "style" not in drawn
    assert payment_qr("ethereum:0x01") != payment_qr("ethereum:0x02")


def test_control_what_no_code_can_hold_is_an_error() -> None:
    with pytest.raises(ValueError, match="data"):
        payment_qr("x" * 10_000)

"""Staff send coins back: an address is named, checked, shown and told."""

from typing import Any

import pytest
from django.core import mail
from django.test import Client

from payments.intake.models import Payment
from payments.intake.services import refund_settle
from tests.factories.admin import pages, paid, quiet_provider, root, send, text_of
from tests.factories.chain import Node
from tests.factories.coins import BUYER, ask_back, chain, counted, invoiced, paid_in_coins
from tests.factories.orders import STAFF, own_rollbacks, post, refund, settled

__all__ = ["chain", "own_rollbacks", "quiet_provider", "root", "settled"]
pytestmark = [
    pytest.mark.django_db,
    pytest.mark.usefixtures("own_rollbacks", "settled", "quiet_provider"),
]
WRONG = BUYER[:-1] + ("a" if BUYER[-1] != "a" else "b")
NONE = [WRONG, BUYER[:-1], "0x", "", "me", f"{BUYER}0", BUYER[2:], None, 7]


def test_coins_go_to_the_address_that_is_named(staff_api: Any, chain: Node, drain: Any) -> None:
    payment = paid_in_coins()
    answer = refund(staff_api, {"id": payment.uid}, amount="5.00", to_address=BUYER.lower())
    assert (answer.status_code, answer.json()["to_address"]) == (201, BUYER)
    drain()
    chain.mine(12)
    assert chain.balance(BUYER) == payment.invoice.amount * 500 // 2000


@pytest.mark.parametrize("address", NONE)
def test_what_is_no_address_is_refused(staff_api: Any, address: Any) -> None:
    payment = paid_in_coins()
    answer = refund(staff_api, {"id": payment.uid}, to_address=address)
    assert answer.status_code == 400
    assert [error["field"] for error in answer.json()["errors"]] == ["to_address"]
    assert not payment.refunds.exists()


@pytest.mark.parametrize(
    "body", [{}, {"destination": "original"}, {"destination": "wallet", "to_address": BUYER}]
)
def test_coins_have_an_address_and_what_goes_into_the_wallet_has_none(
    staff_api: Any, body: Any
) -> None:
    payment = paid_in_coins()
    answer = refund(staff_api, {"id": payment.uid}, **body)
    assert (answer.status_code, answer.json()["code"]) == (400, "to_address_invalid")


def test_a_card_has_no_address(staff_api: Any) -> None:
    answer = refund(staff_api, {"id": paid().uid}, to_address=BUYER)
    assert (answer.status_code, answer.json()["code"]) == (400, "to_address_invalid")
    assert refund(staff_api, {"id": paid().uid}).json()["to_address"] is None


def in_review() -> Payment:
    payment = invoiced()
    counted(payment, payment.invoice.amount // 2, 1000)
    return payment


def test_a_review_ends_with_coins_going_back(staff_api: Any) -> None:
    payment = in_review()
    url = f"{STAFF}payments/{payment.uid}/resolve/"
    body = {"resolution": "refund", "note": "x"}
    assert post(staff_api, url, body | {"to_address": WRONG}).status_code == 400
    assert post(staff_api, url, body).json()["code"] == "to_address_invalid"
    assert post(staff_api, url, body | {"to_address": BUYER}).status_code == 200
    assert payment.refunds.get().to_address == BUYER


def test_the_admin_asks_for_an_address_where_coins_go_back(root: Client) -> None:
    payment = paid_in_coins()
    url = pages(Payment, "refund", payment.pk)
    assert "to_address" in text_of(root.get(url))
    assert "checksum is wrong" in text_of(send(root, url, to_address=WRONG))
    assert "Coins need an address" in text_of(send(root, url))
    asked = root.post(url, {"once": "k", "reason": "x", "destination": "original",
                            "to_address": BUYER.lower()})  # fmt: skip
    assert f"by crypto to {BUYER}" in text_of(asked)
    send(root, url, to_address=BUYER.lower())
    assert payment.refunds.get().to_address == BUYER
    assert "to_address" not in text_of(root.get(pages(Payment, "refund", paid().pk)))


def test_the_admin_ends_a_review_with_coins_going_back(root: Client) -> None:
    payment = in_review()
    url = pages(Payment, "resolve", payment.pk)
    assert "to_address" in text_of(root.get(url))
    send(root, url, resolution="refund", to_address=BUYER)
    assert payment.refunds.get().to_address == BUYER


def test_the_letter_names_the_address(drain: Any, chain: Node) -> None:
    found = ask_back(paid_in_coins())
    refund_settle(refund_id=found.pk, succeeded=True)
    drain(later=True)
    told = [" ".join(str(one.body).split()) for one in mail.outbox]
    assert any(f"coins for 20.00 USD to the address {BUYER}" in text for text in told), told

"""What buyers are told about coins, in words of coins."""

from typing import Any

import pytest

from payments.checkout.services import orders_expire
from payments.crypto.models import Invoice
from payments.intake.models import Payment, Refund
from payments.intake.rules import Source
from payments.intake.services import refund_settle
from payments.notices.letters import write
from tests.factories.chain import Node
from tests.factories.coin_orders import NEEDED, Coins, coins, lamp, order, pass_deadline
from tests.factories.coins import ask_back, chain, paid_in_coins
from tests.factories.orders import own_rollbacks, settled

__all__ = ["chain", "coins", "lamp", "own_rollbacks", "settled"]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_rollbacks")]


def letter(payment: Payment, kind: str) -> str:
    """All that the mail about the payment's newest event of this kind says."""
    # The payment's own event of that name only sums up its refunds.
    told = payment.events.filter(kind=kind).exclude(kind="refunded", once=None)
    found = write(told.latest("pk"))
    assert found is not None
    return " ".join((found.subject, *found.paragraphs))


@pytest.mark.usefixtures("lamp", "settled")
def test_too_few_coins_are_told_where_the_rest_goes_and_until_when(api: Any, coins: Coins) -> None:
    made = order(api)
    coins.pay(made, NEEDED // 2)
    coins.mine(2)
    pass_deadline(made)
    orders_expire()
    coins.mine()
    payment = Payment.objects.get()
    assert (payment.status, payment.reason) == ("review", "underpaid")
    orders_expire()
    said = letter(payment, "review")
    until = Invoice.objects.get().watched_until
    assert "50.00 USD has come in where 100.00 USD was asked for" in said
    assert f"until {until.day} {until:%B %Y, %H:%M} UTC: http" in said
    assert f"/pay/{payment.uid}/" in said
    assert "goes back to you" in said
    assert "looking" not in said


@pytest.fixture
def refund(chain: Node) -> Refund:
    return ask_back(paid_in_coins(10_000))


def told(refund: Refund, kind: str) -> str:
    return letter(Payment.objects.get(pk=refund.payment_id), kind)


# No books behind it: nothing had come beside.
def test_coins_that_could_not_go_back_are_no_card(refund: Refund) -> None:
    # As of coins that came beside: a refund that nobody can decide about ends in the wallet.
    Refund.objects.filter(pk=refund.pk).update(source=Source.UNAPPLIED)
    assert refund_settle(refund_id=refund.pk, succeeded=False, failure="reverted")
    said = told(refund, "refunded")
    assert "The chain has not carried out the transfer of your coins." in said
    assert "100.00 USD is in your wallet now." in said
    assert "card" not in said


def test_coins_on_their_way_back_do_not_speak_of_a_bank(refund: Refund) -> None:
    said = told(refund, "refund_asked")
    assert "We are sending you coins for 100.00 USD." in said
    assert "bank" not in said

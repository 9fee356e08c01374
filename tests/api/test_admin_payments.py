"""Money in the Django admin: refunds and reviews, spelt out before they happen."""

import pytest
from django.test import Client

from accounts.ledger.selectors import balances_of
from common.models import OutboxMessage
from payments.intake.models import Payment
from payments.intake.services import Capture, payment_settle
from tests.factories.admin import pages, paid, placed, quiet_provider, root, send, text_of

__all__ = ["quiet_provider", "root"]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quiet_provider")]


def test_a_refund_of_a_line_says_what_will_happen_and_reserves_the_money(root: Client) -> None:
    payment = paid()
    line = payment.order.lines.get()
    url = pages(Payment, "refund", payment.pk)
    form = {
        f"line_{line.pk}": 1,
        "restock": "on",
        "destination": "original",
        "reason": "broken",
        "once": "same-form",
    }
    asked = text_of(root.post(url, form))
    assert "$10.00 goes back" in asked
    assert "units back on the shelf: 1" in asked
    assert "$10.00 is on its way back." in text_of(send(root, url, **form))
    refund = payment.refunds.get()
    assert (refund.amount, refund.restock, refund.reason) == (1000, True, "broken")
    assert refund.lines.get().quantity == 1
    assert OutboxMessage.objects.filter(payload={"refund_id": refund.pk}).count() == 1


def test_an_empty_refund_form_means_all_that_is_left(root: Client) -> None:
    payment = paid()
    send(root, pages(Payment, "refund", payment.pk), amount="5.50")
    send(root, pages(Payment, "refund", payment.pk))
    assert sorted(payment.refunds.values_list("amount", flat=True)) == [550, 1450]


def test_more_than_what_is_left_is_not_refunded(root: Client) -> None:
    payment = paid()
    line = payment.order.lines.get()
    url = pages(Payment, "refund", payment.pk)
    assert "$20.00 is left to refund." in text_of(send(root, url, amount="20.01"))
    assert "Please correct" in text_of(send(root, url, **{f"line_{line.pk}": 3}))
    assert not payment.refunds.exists()


def test_a_refund_that_the_service_refuses_is_said_and_the_form_kept(root: Client) -> None:
    payment = placed().payments.get()
    Payment.objects.filter(pk=payment.pk).update(captured=2000)
    answer = send(root, pages(Payment, "refund", payment.pk), amount="5.00")
    assert "The payment is awaiting and cannot become refunded." in text_of(answer)
    assert 'value="5.00"' in text_of(answer)
    assert not payment.refunds.exists()


def underpaid() -> Payment:
    payment = placed().payments.get()
    payment_settle(payment_id=payment.pk, capture=Capture(1999, "USD", f"pi_{payment.pk}"))
    payment.refresh_from_db()
    return payment


def test_money_in_review_is_accepted_with_what_is_missing_spelt_out(root: Client) -> None:
    payment = underpaid()
    url = pages(Payment, "resolve", payment.pk)
    choice = {"resolution": "accept", "destination": "original"}
    asked = root.post(url, {"once": "k", "note": "because", **choice})
    assert "$0.01 that is missing is forgiven" in text_of(asked)
    send(root, url, **choice)
    payment.refresh_from_db()
    assert payment.status == "succeeded"


def test_money_in_review_goes_back_into_the_wallet(root: Client) -> None:
    payment = underpaid()
    url = pages(Payment, "resolve", payment.pk)
    send(root, url, resolution="refund", destination="wallet")
    payment.refresh_from_db()
    assert payment.status == "refunded"
    assert balances_of(payment.user_id)[0]["available"] == 1999

"""Refunds never exceed what was captured; disputes stand in their way."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import stripe

from tests.contracts.stripe_fixtures import client_of, intent_params, pay, refund_of, types

pytest_plugins = ["tests.contracts.stripe_fixtures"]


def refused(call):
    with pytest.raises(stripe.InvalidRequestError) as caught:
        call()
    return caught.value


def test_partial_refunds_sum_up_to_the_charge_and_not_a_cent_more(client, stand_in):
    intent = pay(client)
    refund_of(client, intent, amount=300, reason="requested_by_customer")
    refund_of(client, intent, amount=300)
    error = refused(lambda: refund_of(client, intent, amount=401))
    assert error.param == "amount"
    assert "($4.01) is greater than unrefunded amount on charge ($4.00)" in error.user_message
    rest = refund_of(client, intent)
    assert rest.amount == 400
    charge = client.v1.charges.retrieve(intent.latest_charge)
    assert (charge.amount_refunded, charge.refunded) == (1000, True)
    assert refused(lambda: refund_of(client, intent)).code == "charge_already_refunded"
    assert sum(refund["amount"] for refund in stand_in.refunds(intent.id)) == 1000


def test_a_refund_by_charge_equals_one_by_intent(client):
    intent = pay(client)
    refund = client.v1.refunds.create({"charge": intent.latest_charge, "metadata": {"order": "9"}})
    assert (refund.payment_intent, refund.metadata["order"]) == (intent.id, "9")
    assert client.v1.refunds.retrieve(refund.id).status == "succeeded"
    assert client.v1.refunds.list({"payment_intent": intent.id}).data[0].id == refund.id
    assert client.v1.refunds.list({"created": {"lt": refund.created}}).data == []


def test_twenty_parallel_refunds_of_sixty_percent_make_exactly_one(client, stand_in):
    intent = pay(client)

    def attempt(_):
        try:
            return refund_of(client_of(stand_in), intent, amount=600).id
        except stripe.InvalidRequestError:
            return None

    with ThreadPoolExecutor(20) as pool:
        made = [id_ for id_ in pool.map(attempt, range(20)) if id_]
    assert len(made) == 1
    assert len(stand_in.refunds()) == 1


def test_what_was_never_captured_is_not_refunded(client):
    unpaid = client.v1.payment_intents.create(intent_params())
    held = pay(client, capture_method="manual")
    for intent in (unpaid, held):
        error = refused(lambda intent=intent: refund_of(client, intent))
        assert "does not have a successful charge" in error.user_message


def test_a_refund_names_exactly_one_payment(client):
    intent = pay(client)
    assert refused(lambda: client.v1.refunds.create({"amount": 100})).code == "parameter_missing"
    both = {"payment_intent": intent.id, "charge": intent.latest_charge}
    assert refused(lambda: client.v1.refunds.create(both)).code == "parameter_missing"
    unknown = {"payment_intent": "pi_nothing"}
    assert refused(lambda: client.v1.refunds.create(unknown)).code == "resource_missing"


def test_a_refund_can_succeed_and_fail_later_and_its_amount_is_refundable_again(client, stand_in):
    intent = pay(client, "pm_card_refundFail")
    refund = refund_of(client, intent)
    assert refund.status == "succeeded"
    stand_in.settle()
    refund = client.v1.refunds.retrieve(refund.id)
    assert (refund.status, refund.failure_reason) == ("failed", "expired_or_canceled_card")
    assert client.v1.charges.retrieve(intent.latest_charge).amount_refunded == 0
    assert "refund.failed" in types(stand_in.events())


def test_a_pending_refund_succeeds_later(client, stand_in):
    refund = refund_of(client, pay(client, "pm_card_pendingRefund"))
    assert refund.status == "pending"
    stand_in.settle()
    assert client.v1.refunds.retrieve(refund.id).status == "succeeded"
    assert types(stand_in.events())[-2:] == ["refund.updated", "charge.refund.updated"]


def test_a_lost_dispute_keeps_the_money_and_a_won_one_gives_it_back(client, stand_in):
    lost, won = pay(client, "pm_card_createDispute"), pay(client, "pm_card_createDispute")
    first, second = (
        client.v1.disputes.list({"payment_intent": intent.id}).data[0] for intent in (lost, won)
    )
    assert (first.status, first.amount) == ("needs_response", 1000)
    assert refused(lambda: refund_of(client, lost)).code == "charge_disputed"
    assert stand_in.close_dispute(first.id, "lost")["status"] == "lost"
    assert stand_in.close_dispute(second.id, "won")["status"] == "won"
    assert refused(lambda: refund_of(client, lost)).code == "charge_disputed"
    assert refund_of(client, won).amount == 1000
    happened = types(stand_in.events())
    for type_ in ("created", "funds_withdrawn", "funds_reinstated", "closed"):
        assert f"charge.dispute.{type_}" in happened
    assert client.v1.disputes.retrieve(first.id).balance_transactions[0].amount == -1000


def test_an_inquiry_leaves_the_money_and_can_be_refunded(client):
    intent = pay(client, "pm_card_createDisputeInquiry")
    dispute = client.v1.disputes.list({"charge": intent.latest_charge}).data[0]
    assert (dispute.status, dispute.is_charge_refundable) == ("warning_needs_response", True)
    assert refund_of(client, intent).status == "succeeded"

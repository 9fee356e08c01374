"""Refunds at Stripe: those we ask for, and those made at its dashboard."""

from datetime import timedelta
from typing import Final

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.db.models.functions import Now

from common import clock
from common.db import transactional
from payments.intake import locks as intake_locks
from payments.intake import selectors as intake
from payments.intake import services as machine
from payments.intake.errors import RefundExceedsCaptured
from payments.intake.models import Refund
from payments.intake.rules import RefundStatus
from payments.stripe import gateway, rules, selectors
from payments.stripe.errors import KeySpent, NotYetKnown, Refused, StillSending
from payments.stripe.gateway import ProviderRefund
from payments.stripe.models import StripeIntent, StripeRefund, StripeSending

# Longer than all calls of one attempt take, each asked twice.
LEASE: Final = timedelta(minutes=2)


def refund_send(*, refund_id: int) -> None:
    """Ask Stripe to pay back; a repeat finds the first one. Raises Unreachable, StillSending."""
    refund = intake.refund(refund_id)
    if refund.status != RefundStatus.PENDING:
        return
    if selectors.stripe_refund(refund_id) is not None:
        refund_sync(refund_id=refund_id)
        return
    sending = _take(refund_id)
    number = sending.key_number
    try:
        _send(refund, number)
    except KeySpent:
        number += 1
        raise
    finally:
        # Not what another has taken since: it took longer than the lease.
        mine = StripeSending.objects.filter(pk=refund_id, leased_until=sending.leased_until)
        mine.update(leased_until=None, key_number=number)


def _take(refund_id: int) -> StripeSending:
    """Have the refund for oneself for a while. Raises StillSending."""
    StripeSending.objects.get_or_create(refund_id=refund_id)
    free = Q(leased_until=None) | Q(leased_until__lte=Now())
    mine = StripeSending.objects.filter(free, pk=refund_id)
    if not mine.update(leased_until=Now() + LEASE):
        raise StillSending("another worker sends it")
    return StripeSending.objects.get(pk=refund_id)


def _send(refund: Refund, number: int) -> None:
    intent = StripeIntent.objects.get(payment_id=refund.payment_id)
    try:
        answer = gateway.create_refund(
            refund_uid=str(refund.uid),
            intent_id=intent.intent_id,
            amount=refund.amount,
            number=number,
        )
    except Refused as error:
        machine.refund_settle(refund_id=refund.pk, succeeded=False, failure=error.code)
        return
    _remember(refund.pk, answer)
    _apply(refund.pk, answer)


def _remember(refund_id: int, answer: ProviderRefund) -> None:
    try:
        with transaction.atomic():
            StripeRefund.objects.create(
                refund_id=refund_id,
                stripe_id=answer.id,
                next_poll_at=Now() + rules.POLL_SOONEST,
            )
    except IntegrityError:  # sent twice in parallel; the idempotency keys made it one refund
        if not StripeRefund.objects.filter(refund_id=refund_id, stripe_id=answer.id).exists():
            raise


def refund_sync(*, refund_id: int) -> None:
    """Ask Stripe what became of a refund. Raises Unreachable."""
    known = selectors.stripe_refund(refund_id)
    if known is not None:
        _apply(refund_id, gateway.retrieve_refund(known.stripe_id))


def _apply(refund_id: int, answer: ProviderRefund) -> None:
    if answer.status == "succeeded":
        machine.refund_settle(refund_id=refund_id, succeeded=True)
    elif answer.status in rules.REFUND_FAILED:
        failure = answer.failure or answer.status
        machine.refund_settle(refund_id=refund_id, succeeded=False, failure=failure)
    _poll_later(refund_id, decided=answer.status in rules.REFUND_DECIDED)


def _poll_later(refund_id: int, *, decided: bool) -> None:
    now = clock.now()
    pause = rules.poll_pause(now - intake.refund(refund_id).created_at)
    StripeRefund.objects.filter(refund_id=refund_id).update(
        next_poll_at=None if decided else now + pause
    )


def refund_adopt(*, stripe_id: str) -> bool:
    """Write down a refund that Stripe tells of first; False where it is not of a payment of ours.

    Raises Unreachable, and NotYetKnown as `refund_apply` does.
    """
    return refund_apply(gateway.retrieve_refund(stripe_id))


def refund_apply(refund: ProviderRefund) -> bool:
    """What a refund as Stripe just told it means here; False where it is not of a payment of ours.

    Raises NotYetKnown while it cannot be written: it has not succeeded, or a refund of ours is in
    its way.
    """
    refund_id = selectors.refund_by_stripe_id(refund.id)
    if refund_id is None and (unsent := selectors.unsent_refund(refund.uid, refund.intent_id)):
        refund_id = unsent
        _remember(refund_id, refund)
    if refund_id is not None:
        _apply(refund_id, refund)
        return True
    known = selectors.intent_by_stripe_id(refund.intent_id)
    if known is None:
        return False
    if refund.status in rules.REFUND_FAILED:
        return True
    if refund.status != "succeeded":
        raise NotYetKnown(refund.id)
    try:
        _adopt(known.payment_id, refund)
    except RefundExceedsCaptured as error:
        raise NotYetKnown(refund.id) from error
    return True


@transactional
def _adopt(payment_id: int, refund: ProviderRefund) -> None:
    intake_locks.payment(payment_id)
    if selectors.refund_by_stripe_id(refund.id) is not None:
        return
    reason = "made at Stripe's dashboard"
    row = machine.refund_record(payment_id=payment_id, amount=refund.amount, reason=reason)
    StripeRefund.objects.create(refund=row, stripe_id=refund.id)

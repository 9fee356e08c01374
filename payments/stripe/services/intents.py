"""PaymentIntents: made, asked about, cancelled. Stripe is called outside transactions only."""

from datetime import timedelta

from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from common import clock
from common.db import transactional
from common.outbox.services import enqueue
from payments.intake import locks as intake_locks
from payments.intake import selectors as intake
from payments.intake import services as machine
from payments.intake.models import Payment
from payments.intake.rules import OPEN, Status
from payments.intake.services import Capture
from payments.stripe import gateway, locks, rules, selectors
from payments.stripe.errors import Refused
from payments.stripe.gateway import Intent
from payments.stripe.models import StripeAttempt, StripeCustomer, StripeIntent, StripeRefund
from payments.stripe.rules import Outcome


def intent_ensure(*, payment_id: int) -> None:
    """Make the payment's intent if it has none. Raises Unreachable.

    What Stripe will not take, such as an amount below its minimum, fails the payment: the order
    may be paid another way.
    """
    payment = intake.payment(payment_id)
    if payment.status not in OPEN or selectors.intent(payment_id) is not None:
        return
    try:
        intent = _create(payment)
    except Refused as error:
        reason = {"code": error.code, "message": error.message}
        machine.payment_mark_failed(payment_id=payment_id, error=reason)
        return
    intent_save(payment_id=payment_id, intent=intent)


def _create(payment: Payment) -> Intent:
    customer = _customer_ensure(payment)
    try:
        return _create_for(payment, customer, key=str(payment.uid))
    except Refused as error:
        if error.code != "resource_missing":
            raise
    # The customer is of another Stripe account: the shop has moved from the sandbox to a key.
    StripeCustomer.objects.filter(customer_id=customer).delete()
    return _create_for(payment, _customer_ensure(payment), key=f"{payment.uid}-moved")


def _create_for(payment: Payment, customer: str, *, key: str) -> Intent:
    order = payment.order
    return gateway.create_intent(
        key=key,
        amount=payment.amount,
        currency=payment.currency,
        customer=customer,
        metadata={
            "payment": str(payment.uid),
            "order": order.number if order else "",
            "user": str(payment.user.uid),
        },
    )


def _customer_ensure(payment: Payment) -> str:
    known = StripeCustomer.objects.filter(user_id=payment.user_id).first()
    if known is not None:
        return known.customer_id
    user = payment.user
    customer_id = gateway.create_customer(email=user.email, user_uid=str(user.uid))
    try:
        with transaction.atomic():
            StripeCustomer.objects.create(user_id=user.pk, customer_id=customer_id)
    except IntegrityError:  # a parallel call saved it; the idempotency keys made it the same one
        pass
    return customer_id


@transactional
def intent_save(*, payment_id: int, intent: Intent) -> None:
    """Remember a payment's intent; one made for a payment given up meanwhile is cancelled."""
    found = intake_locks.payment(payment_id)
    _, made = StripeIntent.objects.get_or_create(
        payment_id=payment_id,
        defaults={
            "intent_id": intent.id,
            "client_secret": intent.client_secret,
            "status": intent.status,
            "next_poll_at": Now() + rules.POLL_SOONEST,
        },
    )
    if made and found.payment.status not in OPEN:
        enqueue("payments.stripe.cancel_intent", payment_id=payment_id)


def intent_sync(*, payment_id: int) -> None:
    """Ask Stripe about a payment and do what follows. Raises Unreachable."""
    known = selectors.intent(payment_id)
    if known is None:
        intent_ensure(payment_id=payment_id)
        return
    intent = gateway.retrieve_intent(known.intent_id)
    if rules.is_abandoned(intent.status, intake.payment(payment_id).expires_at, clock.now()):
        intent_cancel(payment_id=payment_id)
        return
    intent_apply(payment_id=payment_id, intent=intent)


def intent_apply(*, payment_id: int, intent: Intent) -> None:
    """What an intent as Stripe just told it means for its payment; safe to repeat."""
    outcome = rules.outcome(intent.status)
    if outcome is Outcome.PAID:
        capture = Capture(intent.received, intent.currency, intent.id)
        machine.payment_settle(payment_id=payment_id, capture=capture, card=intent.card)
    elif outcome is Outcome.DECIDING:
        machine.payment_mark_processing(payment_id=payment_id)
    elif outcome is Outcome.DEAD:
        machine.payment_mark_failed(payment_id=payment_id, error={"code": "canceled"})
    else:
        _apply_open(payment_id, intent)
    _remember(payment_id, intent, outcome)


def _apply_open(payment_id: int, intent: Intent) -> None:
    """It waits for a card: new is only that one was declined, in the browser or in 3-D Secure."""
    payment = intake.payment(payment_id)
    if payment.status == Status.PROCESSING:
        # This reading may be older than the confirm call that put the payment under way.
        intent = gateway.retrieve_intent(intent.id)
        if rules.outcome(intent.status) is not Outcome.OPEN:
            intent_apply(payment_id=payment_id, intent=intent)
            return
    elif not intent.error or intent.error == payment.last_error:
        return
    error = intent.error or {"code": "authentication_failed"}
    machine.payment_mark_declined(payment_id=payment_id, error=error)


@transactional
def _remember(payment_id: int, intent: Intent, outcome: Outcome) -> None:
    intake_locks.payment(payment_id)
    if outcome is not Outcome.OPEN:
        attempt_end(payment_id, StripeAttempt.State.ACCEPTED)
    row = StripeIntent.objects.get(payment_id=payment_id)
    now = clock.now()
    row.status = intent.status
    ended = outcome in (Outcome.PAID, Outcome.DEAD)
    row.next_poll_at = None if ended else now + rules.poll_pause(now - row.created_at)
    row.save(update_fields=["status", "next_poll_at"])


def attempt_end(
    payment_id: int, state: StripeAttempt.State, error: dict[str, object] | None = None
) -> None:
    """The outcome of the open confirm attempt is known; the caller has locked the payment."""
    attempt = locks.open_attempt(payment_id)
    if attempt is not None:
        attempt.state, attempt.open_for, attempt.error = state, None, error
        attempt.save(update_fields=["state", "open_for", "error"])


def intent_cancel(*, payment_id: int) -> None:
    """Tell Stripe that a payment is given up; money that came first is late money."""
    known = selectors.intent(payment_id)
    if known is None:
        return
    try:
        intent = gateway.cancel_intent(known.intent_id)
    except Refused:  # it has succeeded or is cancelled already: believe what Stripe says now
        intent = gateway.retrieve_intent(known.intent_id)
    intent_apply(payment_id=payment_id, intent=intent)


def poll(*, limit: int = 200) -> int:
    """Have every payment and refund that is due asked about; makes up for lost webhooks."""
    due = selectors.due_polls(limit=limit)
    for payment_id in due:
        _schedule_poll(payment_id)
    refunds = selectors.due_refund_polls(limit=limit)
    for refund_id in refunds:
        _schedule_refund_poll(refund_id)
    return len(due) + len(refunds)


@transactional
def _schedule_poll(payment_id: int) -> None:
    # Moved on first: a poll that finds Stripe down must not be enqueued again at every tick.
    StripeIntent.objects.filter(payment_id=payment_id).update(
        next_poll_at=Now() + timedelta(minutes=1)
    )
    enqueue("payments.stripe.sync_intent", payment_id=payment_id)


@transactional
def _schedule_refund_poll(refund_id: int) -> None:
    StripeRefund.objects.filter(refund_id=refund_id).update(
        next_poll_at=Now() + timedelta(minutes=1)
    )
    enqueue("payments.stripe.sync_refund", refund_id=refund_id)

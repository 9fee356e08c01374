"""Confirming on the server, for clients with no browser.

Three steps: the attempt is written and the order kept from expiring; Stripe is asked outside any
transaction; the answer is written. Where the answer is lost, a task first asks what happened, then
asks again with the same idempotency key.
"""

import contextlib
from typing import Any

from common import clock
from common.db import transactional
from common.errors import InvalidTransition
from common.idempotency.services import bind, unbind
from common.outbox.services import enqueue
from payments.intake import locks as intake_locks
from payments.intake import selectors as intake
from payments.intake import services as machine
from payments.intake.models import Payment
from payments.intake.rules import OPEN, Status
from payments.stripe import gateway, locks, rules, selectors
from payments.stripe.errors import (
    CardDeclined,
    ConfirmationInProgress,
    ConfirmationRefused,
    Declined,
    PaymentExpired,
    Refused,
    Unreachable,
)
from payments.stripe.gateway import Intent
from payments.stripe.models import StripeAttempt
from payments.stripe.rules import Outcome
from payments.stripe.services.intents import attempt_end, intent_apply, intent_ensure
from shop.orders import services as orders

State = StripeAttempt.State
# The request itself waits no longer than this for Stripe; then a task finds out.
RESOLVE_DELAY = 15


def payment_confirm(*, payment_id: int, payment_method: str) -> Payment:
    """Try a card. Accepted, 3-D Secure needed or unknown: the payment, for a worker to settle.

    Raises CardDeclined, ConfirmationRefused, ConfirmationInProgress, PaymentExpired,
    InvalidTransition.
    """
    attempt = _start(payment_id, payment_method)
    try:
        _ask(attempt)
    except Declined as error:
        raise CardDeclined(
            error.error.get("message") or "",
            decline_code=error.error.get("decline_code"),
        ) from error
    except Refused as error:
        raise ConfirmationRefused(error.message, stripe_code=error.code) from error
    except Unreachable:
        pass  # the task enqueued with the attempt finds out
    return intake.payment(payment_id)


@transactional
def _start(payment_id: int, payment_method: str) -> StripeAttempt:
    found = intake_locks.payment(payment_id)
    payment = found.payment
    bind(str(payment.uid), status=202)
    if payment.status != Status.AWAITING:
        raise InvalidTransition("payment", payment.status, Status.PROCESSING)
    if locks.open_attempt(payment_id) is not None:
        raise ConfirmationInProgress(retry_after=RESOLVE_DELAY)
    if payment.expires_at <= clock.now():
        raise PaymentExpired
    if found.order is not None:
        orders.order_suspend_deadline(found.order, suspended=True)
    enqueue("payments.stripe.resolve_attempt", delay=RESOLVE_DELAY, payment_id=payment_id)
    return StripeAttempt.objects.create(
        payment=payment,
        number=StripeAttempt.objects.filter(payment=payment).count() + 1,
        payment_method=payment_method,
        open_for=payment_id,
    )


def _ask(attempt: StripeAttempt) -> None:
    """Ask Stripe and write the answer down. Raises Declined, Refused or Unreachable."""
    payment = attempt.payment
    try:
        intent_ensure(payment_id=payment.pk)
        known = selectors.intent(payment.pk)
        if known is None:  # given up meanwhile
            return
        _confirm(known.intent_id, attempt)
    except Declined as error:
        _end_declined(attempt, error.error)
        raise
    except Refused as error:
        _end_refused(attempt, {"code": error.code})
        raise
    _end_accepted(attempt)


def _confirm(intent_id: str, attempt: StripeAttempt) -> Intent:
    key = f"confirm-{attempt.payment.uid}-{attempt.number}"
    return gateway.confirm_intent(
        intent_id, payment_method=attempt.payment_method, idempotency_key=key
    )


@transactional
def _end_declined(attempt: StripeAttempt, error: dict[str, Any]) -> None:
    intake_locks.payment(attempt.payment_id)
    if _is_open(attempt):
        attempt_end(attempt.payment_id, State.DECLINED, error)
        machine.payment_mark_declined(payment_id=attempt.payment_id, error=error)


@transactional
def _end_refused(attempt: StripeAttempt, error: dict[str, Any]) -> None:
    unbind()
    found = intake_locks.payment(attempt.payment_id)
    if not _is_open(attempt):
        return
    attempt_end(attempt.payment_id, State.REFUSED, error)
    if found.order is not None:
        orders.order_suspend_deadline(found.order, suspended=False)


@transactional
def _end_accepted(attempt: StripeAttempt) -> None:
    intake_locks.payment(attempt.payment_id)
    if _is_open(attempt):
        attempt_end(attempt.payment_id, State.ACCEPTED)
    machine.payment_mark_processing(payment_id=attempt.payment_id)
    enqueue("payments.stripe.sync_intent", payment_id=attempt.payment_id)


def _is_open(attempt: StripeAttempt) -> bool:
    """False once somebody else has written its outcome: the open one is then another card's."""
    current = locks.open_attempt(attempt.payment_id)
    return current is not None and current.pk == attempt.pk


def attempt_resolve(*, payment_id: int) -> None:
    """Find out what became of a confirm call whose answer was lost. Raises Unreachable."""
    attempt = StripeAttempt.objects.filter(open_for=payment_id).select_related("payment").first()
    if attempt is None:
        return
    known = selectors.intent(payment_id)
    if known is not None:
        intent = gateway.retrieve_intent(known.intent_id)
        if rules.outcome(intent.status) is not Outcome.OPEN:
            intent_apply(payment_id=payment_id, intent=intent)
            return
    if attempt.payment.status not in OPEN:  # given up meanwhile: charge nobody for it
        return
    # Written down by `_ask`; the payment waits for another card.
    with contextlib.suppress(Declined, Refused):
        _ask(attempt)

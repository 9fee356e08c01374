"""Webhooks: verified, stored, answered; understood later, by a task.

Nothing is taken from an event's body but whom it is about; Stripe is asked for the rest.
"""

from datetime import timedelta
from typing import Any, Final

from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from common import clock
from common.db import transactional
from common.outbox.services import enqueue
from payments.stripe import gateway, selectors
from payments.stripe.errors import NotYetKnown
from payments.stripe.models import WebhookEvent
from payments.stripe.services.disputes import dispute_sync
from payments.stripe.services.intents import intent_save, intent_sync
from payments.stripe.services.refunds import refund_adopt, refund_sync

State = WebhookEvent.State
INTENT_EVENTS: Final = frozenset(
    f"payment_intent.{name}"
    for name in ("succeeded", "payment_failed", "processing", "requires_action", "canceled")
)
REFUND_EVENTS: Final = frozenset(
    {"refund.created", "refund.updated", "refund.failed", "charge.refund.updated"}
)
DISPUTE_EVENTS: Final = frozenset(
    f"charge.dispute.{name}"
    for name in ("created", "updated", "closed", "funds_withdrawn", "funds_reinstated")
)
# An event about something of ours that never appears is given up after this long.
PATIENCE: Final = timedelta(hours=24)


def webhook_receive(*, payload: bytes, signature: str) -> None:
    """Verify and store an event; a second delivery of it changes nothing. Raises BadSignature."""
    event = gateway.verify_event(payload, signature)
    try:
        _store(event)
    except IntegrityError:
        if not WebhookEvent.objects.filter(provider="stripe", event_id=event["id"]).exists():
            raise


@transactional
def _store(event: dict[str, Any]) -> None:
    with transaction.atomic():
        row = WebhookEvent.objects.create(event_id=event["id"], kind=event["type"], payload=event)
    enqueue("payments.stripe.process_event", event_pk=row.pk)


def webhook_process(*, event_pk: int) -> None:
    """Do what an event asks for. Raises NotYetKnown while it is about nothing committed here."""
    row = selectors.event(event_pk)
    if row.state != State.RECEIVED:
        return
    about = row.payload["data"]["object"]
    try:
        handled = _dispatch(row.kind, about)
    except NotYetKnown:
        if clock.now() - row.received_at < PATIENCE:
            raise
        handled = False
    state = State.PROCESSED if handled else State.IGNORED
    WebhookEvent.objects.filter(pk=event_pk).update(state=state, processed_at=Now())


def _dispatch(kind: str, about: dict[str, Any]) -> bool:
    if kind in INTENT_EVENTS:
        return _intent_changed(about)
    if kind in REFUND_EVENTS:
        return _refund_changed(about)
    if kind in DISPUTE_EVENTS:
        return dispute_sync(dispute_id=about["id"])
    return False


def _intent_changed(about: dict[str, Any]) -> bool:
    known = selectors.intent_by_stripe_id(about["id"])
    payment_id = known.payment_id if known else _adopt(about)
    if payment_id is None:
        return False
    intent_sync(payment_id=payment_id)
    return True


def _adopt(about: dict[str, Any]) -> int | None:
    """The payment of an intent that is not written down here yet, by its metadata."""
    uid = (about.get("metadata") or {}).get("payment")
    if uid is None:
        return None
    payment_id = selectors.payment_id_by_uid(uid)
    if payment_id is None:
        raise NotYetKnown(about["id"])
    intent_save(payment_id=payment_id, intent=gateway.retrieve_intent(about["id"]))
    return payment_id


def _refund_changed(about: dict[str, Any]) -> bool:
    refund_id = selectors.refund_by_stripe_id(about["id"])
    if refund_id is None:
        return refund_adopt(stripe_id=about["id"])
    refund_sync(refund_id=refund_id)
    return True

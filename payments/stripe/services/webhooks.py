"""Webhooks: verified, stored, answered; understood later, by a task.

Nothing is taken from an event's body but whom it is about; Stripe is asked for the rest. So an
event may be processed again whenever somebody asks for it.
"""

from datetime import timedelta
from typing import Any, Final

from django.db import IntegrityError, transaction
from django.db.models import F
from django.db.models.functions import Now

from common import clock
from common.audit.services import record as audit
from common.db import transactional
from common.idempotency.services import bind
from common.outbox.services import enqueue
from payments.stripe import gateway, selectors
from payments.stripe.errors import NotYetKnown, Refused
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
HANDLED: Final = INTENT_EVENTS | REFUND_EVENTS | DISPUTE_EVENTS
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
    _write(row, attempts=F("attempts") + 1)
    try:
        state, reason = _understand(row)
    except Exception as error:
        # Kept with the event: the outbox's own note is deleted after a week.
        _write(row, error=_words(error))
        raise
    _write(row, state=state, error=reason, processed_at=Now())


def _write(row: WebhookEvent, **values: Any) -> None:
    # Somebody else may have done it meanwhile: what was done is not undone.
    WebhookEvent.objects.filter(pk=row.pk, state=State.RECEIVED).update(**values)


def _words(error: Exception) -> str:
    """The kind of error, and the id or code that it is about; never what a library wrote."""
    about = f": {error}" if isinstance(error, NotYetKnown) else ""
    return f"{type(error).__name__}{about}"[:200]


def _understand(row: WebhookEvent) -> tuple[State, str]:
    """What becomes of an event, and why it is ignored if it is. Raises NotYetKnown."""
    if row.kind not in HANDLED:
        return State.IGNORED, "this kind of event is not handled"
    try:
        ours = _dispatch(row.kind, row.payload["data"]["object"])
    except (NotYetKnown, Refused) as error:
        missing = error.code if isinstance(error, Refused) else str(error)
        if clock.now() - row.received_at < PATIENCE:
            raise NotYetKnown(missing) from error
        return State.IGNORED, f"given up after 24 hours: {missing}"[:200]
    return (State.PROCESSED, "") if ours else (State.IGNORED, "it is about nothing of ours")


@transactional
def webhook_replay(*, event_id: str, actor_id: int) -> None:
    """Have an event processed again, whatever became of it; nothing counts twice."""
    bind(event_id, status=202)
    row = selectors.event_by_stripe_id(event_id)
    was = {"state": row.state, "error": row.error}
    row.state, row.error, row.processed_at = State.RECEIVED, "", None
    row.save(update_fields=["state", "error", "processed_at"])
    enqueue("payments.stripe.process_event", event_pk=row.pk)
    audit(actor_id=actor_id, action="webhook.replay", target=f"webhook:{event_id}", data=was)


def _dispatch(kind: str, about: dict[str, Any]) -> bool:
    if kind in INTENT_EVENTS:
        return _intent_changed(about)
    if kind in REFUND_EVENTS:
        return _refund_changed(about)
    return dispute_sync(dispute_id=about["id"])


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

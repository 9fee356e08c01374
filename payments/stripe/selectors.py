"""Reads of Stripe's side."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.shortcuts import get_object_or_404

from payments.intake.models import Payment, Refund
from payments.stripe.models import StripeIntent, StripeRefund, WebhookEvent


def intent(payment_id: int) -> StripeIntent | None:
    return StripeIntent.objects.filter(payment_id=payment_id).first()


def intent_by_stripe_id(intent_id: str) -> StripeIntent | None:
    return StripeIntent.objects.filter(intent_id=intent_id).first()


def payment_id_by_uid(uid: str) -> int | None:
    """None as well for metadata of somebody else's that is no key of ours."""
    if not _is_key(uid):
        return None
    return Payment.objects.filter(uid=uid).values_list("pk", flat=True).first()


def _is_key(uid: str) -> bool:
    try:
        UUID(uid)
    except ValueError:
        return False
    return True


def details(payments: Sequence[Payment]) -> dict[int, dict[str, Any]]:
    """What a client needs to pay by card; absent where the intent is not made yet."""
    intents = StripeIntent.objects.filter(payment__in=[payment.pk for payment in payments])
    return {
        intent.payment_id: {
            "payment_intent": intent.intent_id,
            "client_secret": intent.client_secret,
            "publishable_key": settings.STRIPE_PUBLISHABLE_KEY,
        }
        for intent in intents
    }


def due_polls(*, limit: int) -> list[int]:
    """Payments whose intent should be asked about now."""
    due = StripeIntent.objects.filter(next_poll_at__lte=Now()).order_by("next_poll_at")
    return list(due.values_list("payment_id", flat=True)[:limit])


def due_refund_polls(*, limit: int) -> list[int]:
    """Refunds that Stripe has taken, not decided yet, and should be asked about now."""
    due = StripeRefund.objects.filter(next_poll_at__lte=Now()).order_by("next_poll_at")
    return list(due.values_list("refund_id", flat=True)[:limit])


def stripe_refund(refund_id: int) -> StripeRefund | None:
    return StripeRefund.objects.filter(refund_id=refund_id).first()


def refund_by_stripe_id(stripe_id: str) -> int | None:
    found = StripeRefund.objects.filter(stripe_id=stripe_id)
    return found.values_list("pk", flat=True).first()


def unsent_refund(uid: str, intent_id: str) -> int | None:
    """The refund of ours that Stripe's was made for, where its answer is not written down."""
    if not _is_key(uid):
        return None
    found = Refund.objects.filter(
        uid=uid, stripe_refund=None, payment__stripe_intent__intent_id=intent_id
    )
    return found.values_list("pk", flat=True).first()


def event(pk: int) -> WebhookEvent:
    return WebhookEvent.objects.get(pk=pk)


def events(*, state: str | None = None, kind: str | None = None) -> QuerySet[WebhookEvent]:
    """Stripe's events without their payloads, which are large."""
    found = WebhookEvent.objects.filter(provider="stripe").defer("payload")
    found = found.filter(state=state) if state else found
    return found.filter(kind=kind) if kind else found


def event_by_stripe_id(event_id: str) -> WebhookEvent:
    """Raises Http404."""
    return get_object_or_404(WebhookEvent, provider="stripe", event_id=event_id)

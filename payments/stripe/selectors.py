"""Reads of Stripe's side."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.db.models import Prefetch, Q, QuerySet
from django.db.models.functions import Now
from django.shortcuts import get_object_or_404

from accounts.ledger.models import Hold, Posting
from accounts.ledger.rules import DEBIT, Kind
from common.fields import sums
from payments.intake.models import Dispute, Payment, PaymentEvent, Refund
from payments.intake.rules import DisputeStatus, Method, RefundStatus
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


@dataclass(frozen=True, slots=True)
class Ours:
    """A payment as it is written down here; Stripe's ids are keys.

    `captures` are minor units and currency, `clearing` is what our books say that Stripe holds of
    it, `intent_id` is empty where its intent is not written down.
    """

    payment: Payment
    intent_id: str
    captures: dict[str, tuple[int, str]]
    refunds: list[Refund]
    disputes: dict[str, Dispute]
    clearing: int


def ours(intents: Mapping[str, str]) -> dict[str, Ours]:
    """What is written down of each of Stripe's intents: `{intent: uid it names, or ""}`."""
    keys = _payment_ids(intents)
    payments = Payment.objects.select_related("stripe_intent").prefetch_related(
        "refunds__stripe_refund",
        "disputes",
        Prefetch("events", PaymentEvent.objects.filter(kind="captured")),
    )
    rows = {row.pk: row for row in payments.filter(pk__in=keys.values())}
    clearing = _clearing(list(rows.values()))
    return {intent: _ours(rows[pk], clearing.get(pk, 0)) for intent, pk in keys.items()}


def _ours(payment: Payment, clearing: int) -> Ours:
    intent = getattr(payment, "stripe_intent", None)
    return Ours(
        payment=payment,
        intent_id=intent.intent_id if intent else "",
        captures={
            _stripe_id(event.once): (event.amount, event.currency) for event in payment.events.all()
        },
        refunds=list(payment.refunds.all()),
        disputes={_stripe_id(row.reference): row for row in payment.disputes.all()},
        clearing=clearing,
    )


def _stripe_id(reference: str | None) -> str:
    """`capture:stripe:pi_…` → `pi_…`"""
    return (reference or "").rpartition(":")[2]


def _payment_ids(intents: Mapping[str, str]) -> dict[str, int]:
    """By the intent that is written down, else by what was captured, else by the uid it names."""
    uids = [uid for uid in intents.values() if _is_key(uid)]
    named = {
        str(uid): pk for uid, pk in Payment.objects.filter(uid__in=uids).values_list("uid", "pk")
    }
    captured = PaymentEvent.objects.filter(once__in=[f"{_CAPTURE}{intent}" for intent in intents])
    known = StripeIntent.objects.filter(intent_id__in=list(intents))
    return {
        **{intent: named[uid] for intent, uid in intents.items() if uid in named},
        **{_stripe_id(once): pk for once, pk in captured.values_list("once", "payment_id")},
        **dict(known.values_list("intent_id", "payment_id")),
    }


_CAPTURE: Final = f"capture:{Method.STRIPE}:"


def _clearing(payments: Sequence[Payment]) -> dict[int, int]:
    """Debits less credits of Stripe's clearing account, by payment."""
    owners = {name: payment.pk for payment in payments for name in _transfers(payment)}
    owners |= {
        f"hold:{uid}": owners[reference]
        for reference, uid in Hold.objects.filter(reference__in=list(owners)).values_list(
            "reference", "uid"
        )
    }
    postings = Posting.objects.filter(
        account__kind=Kind.STRIPE_CLEARING, transfer__reference__in=list(owners)
    )
    found: dict[int, int] = {}
    for (reference, side), amount in sums(postings, "transfer__reference", "side").items():
        signed = amount if side == DEBIT else -amount
        found[owners[reference]] = found.get(owners[reference], 0) + signed
    return found


def _transfers(payment: Payment) -> Iterator[str]:
    """The references under which a payment's money is booked (`payments.intake.services.books`)."""
    for event in payment.events.all():
        yield event.once or ""
    for refund in payment.refunds.all():
        yield f"refund:{refund.uid}"
        yield f"refund-returned:{refund.uid}"
    for dispute in payment.disputes.all():
        yield f"dispute-opened:{dispute.reference}"
        yield f"dispute-won:{dispute.reference}"


def touched_intents(since: datetime) -> set[str]:
    """Intents whose money has moved here since then, or waits for Stripe's word."""
    captured = PaymentEvent.objects.filter(
        kind="captured", once__startswith=_CAPTURE, created_at__gte=since
    )
    refunds = Refund.objects.filter(
        Q(created_at__gte=since) | Q(decided_at__gte=since) | Q(status=RefundStatus.PENDING)
    )
    disputes = Dispute.objects.filter(
        Q(opened_at__gte=since) | Q(decided_at__gte=since) | Q(status=DisputeStatus.OPEN)
    )
    intent = "payment__stripe_intent__intent_id"
    found = {_stripe_id(once) for once in captured.values_list("once", flat=True)}
    for rows in (refunds, disputes):
        found |= set(rows.exclude(payment__stripe_intent=None).values_list(intent, flat=True))
    return found

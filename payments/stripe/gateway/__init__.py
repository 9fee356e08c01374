"""The only place that talks to Stripe, through stripe-python.

Never call any of this inside a transaction. Every call may raise Unreachable (outcome unknown) or
Refused (asking again gives the same).
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import stripe
from django.conf import settings

from payments.stripe import rules
from payments.stripe.errors import BadSignature, Refused
from payments.stripe.gateway.asking import answers, client, with_key

# As many as Stripe gives at once.
PAGE = 100
WITH_CHARGE: Any = {"expand": ["latest_charge"]}


@dataclass(frozen=True, slots=True)
class Intent:
    """A PaymentIntent; `received` in minor units of `currency` (upper case)."""

    id: str
    status: str
    client_secret: str
    received: int
    currency: str
    error: dict[str, Any] | None
    metadata: dict[str, str]
    # By which Stripe knows a card again, whatever it is called; empty where it was not asked for.
    card: str = ""


@dataclass(frozen=True, slots=True)
class ProviderRefund:
    """A Refund; `status` is Stripe's: pending, requires_action, succeeded, failed, canceled.

    `uid` is the refund of ours it was made for, empty where it was made at Stripe's dashboard.
    """

    id: str
    status: str
    failure: str
    intent_id: str
    amount: int
    uid: str


@dataclass(frozen=True, slots=True)
class ProviderDispute:
    """A Dispute; `amount` in minor units, `status` Stripe's."""

    id: str
    status: str
    reason: str
    intent_id: str
    amount: int


def create_customer(*, email: str, user_uid: str) -> str:
    def create(key: str) -> str:
        with answers():
            customer = client().v1.customers.create(
                {"email": email, "metadata": {"user": user_uid}}, {"idempotency_key": key}
            )
        return str(customer.id)

    return with_key(f"customer-{user_uid}", create)


def create_intent(
    *, key: str, amount: int, currency: str, customer: str, metadata: dict[str, str]
) -> Intent:
    def create(key: str) -> Intent:
        with answers():
            intent = client().v1.payment_intents.create(
                {
                    "amount": amount,
                    "currency": currency.lower(),
                    "customer": customer,
                    # Cards only: no method that sends the buyer to another site and back.
                    "allowed_payment_method_types": ["card"],
                    "metadata": metadata,
                },
                {"idempotency_key": key},
            )
        return _intent(intent)

    return with_key(f"intent-{key}", create)


def retrieve_intent(intent_id: str) -> Intent:
    with answers():
        return _intent(client().v1.payment_intents.retrieve(intent_id, WITH_CHARGE))


def confirm_intent(intent_id: str, *, payment_method: str, idempotency_key: str) -> Intent:
    """Raises Declined as well. An intent that somebody else has confirmed is the answer."""

    def confirm(key: str) -> Intent:
        return _confirm_intent(intent_id, payment_method, key)

    def look() -> Intent | None:
        intent = retrieve_intent(intent_id)
        return None if rules.outcome(intent.status) is rules.Outcome.OPEN else intent

    try:
        return with_key(idempotency_key, confirm, look)
    except Refused:
        if (done := look()) is None:
            raise
        return done


def _confirm_intent(intent_id: str, payment_method: str, key: str) -> Intent:
    with answers():
        intent = client().v1.payment_intents.confirm(
            intent_id,
            {"payment_method": payment_method, "expand": ["latest_charge"]},
            {"idempotency_key": key},
        )
    return _intent(intent)


def cancel_intent(intent_id: str) -> Intent:
    with answers():
        return _intent(client().v1.payment_intents.cancel(intent_id))


def _intent(intent: stripe.PaymentIntent) -> Intent:
    error = intent.last_payment_error
    return Intent(
        id=intent.id,
        status=intent.status,
        client_secret=intent.client_secret or "",
        received=intent.amount_received or 0,
        currency=intent.currency.upper(),
        error=_last_error(error) if error else None,
        metadata=dict(intent.metadata.to_dict()) if intent.metadata else {},
        card=_card(intent.latest_charge),
    )


def _card(charge: Any) -> str:
    # Without `expand` it is the charge's id.
    details = getattr(charge, "payment_method_details", None)
    return str(getattr(getattr(details, "card", None), "fingerprint", None) or "")


def _last_error(error: Any) -> dict[str, Any]:
    return {
        "code": getattr(error, "code", None),
        "decline_code": getattr(error, "decline_code", None),
        "message": getattr(error, "message", None),
    }


def create_refund(
    *, refund_uid: str, intent_id: str, amount: int, number: int = 1
) -> ProviderRefund:
    """Look for the refund, then ask for it under its `number`th key; one caller at a time.

    The key alone would not do: Stripe forgets it after a day. Where it is spent, KeySpent says so;
    where the refund is refused, an earlier call may have made it meanwhile.
    """
    if found := _find_refund(refund_uid, intent_id):
        return found
    key = f"refund-{refund_uid}" + (f"-{number}" if number > 1 else "")
    try:
        return _create_refund(refund_uid, intent_id, amount, key)
    except Refused:
        found = _find_refund(refund_uid, intent_id)
        if found is None:
            raise
        return found


def _create_refund(refund_uid: str, intent_id: str, amount: int, key: str) -> ProviderRefund:
    with answers():
        refund = client().v1.refunds.create(
            {
                "payment_intent": intent_id,
                "amount": amount,
                "metadata": {"refund": refund_uid},
            },
            {"idempotency_key": key},
        )
    return _refund(refund)


def _find_refund(refund_uid: str, intent_id: str) -> ProviderRefund | None:
    found = refunds_of(intent_id)
    return next((refund for refund in found if refund.uid == refund_uid), None)


def retrieve_refund(refund_id: str) -> ProviderRefund:
    with answers():
        return _refund(client().v1.refunds.retrieve(refund_id))


def _refund(refund: stripe.Refund) -> ProviderRefund:
    return ProviderRefund(
        id=refund.id,
        status=refund.status or "pending",
        failure=getattr(refund, "failure_reason", None) or "",
        intent_id=str(refund.payment_intent or ""),
        amount=refund.amount,
        uid=(refund.metadata.to_dict() if refund.metadata else {}).get("refund", ""),
    )


def retrieve_dispute(dispute_id: str) -> ProviderDispute:
    with answers():
        return _dispute(client().v1.disputes.retrieve(dispute_id))


def _dispute(dispute: stripe.Dispute) -> ProviderDispute:
    return ProviderDispute(
        id=dispute.id,
        status=dispute.status,
        reason=dispute.reason,
        intent_id=str(dispute.payment_intent or ""),
        amount=dispute.amount,
    )


def list_intents(since: datetime) -> Iterator[Intent]:
    """Every intent made since then, newest first; the next hundred are asked for as they are read.

    Nothing may be locked while it is read.
    """
    return map(_intent, _each(client().v1.payment_intents.list, _since(since)))


def list_refunds(since: datetime) -> Iterator[ProviderRefund]:
    return map(_refund, _each(client().v1.refunds.list, _since(since)))


def list_disputes(since: datetime) -> Iterator[ProviderDispute]:
    return map(_dispute, _each(client().v1.disputes.list, _since(since)))


def refunds_of(intent_id: str) -> Iterator[ProviderRefund]:
    return map(_refund, _each(client().v1.refunds.list, {"payment_intent": intent_id}))


def disputes_of(intent_id: str) -> Iterator[ProviderDispute]:
    return map(_dispute, _each(client().v1.disputes.list, {"payment_intent": intent_id}))


def _since(moment: datetime) -> dict[str, Any]:
    return {"created": {"gte": int(moment.timestamp())}}


def _each(listing: Callable[[Any], Any], where: dict[str, Any]) -> Iterator[Any]:
    with answers():
        yield from listing({**where, "limit": PAGE}).auto_paging_iter()


def verify_event(payload: bytes, signature: str) -> dict[str, Any]:
    """The event in a webhook's raw body. Raises BadSignature.

    Several secrets are valid while one is being rotated. Stripe's library bounds only the past,
    so the future is bounded here.
    """
    for secret in settings.STRIPE_WEBHOOK_SECRETS:
        try:
            event = stripe.Webhook.construct_event(
                payload, signature, secret, tolerance=rules.SIGNATURE_TOLERANCE
            )
        except (stripe.SignatureVerificationError, ValueError):
            continue
        if not rules.timestamp_is_near(_timestamp(signature), time.time()):
            break
        return dict(event.to_dict())
    raise BadSignature


def _timestamp(signature: str) -> int:
    fields = dict(part.strip().partition("=")[::2] for part in signature.split(","))
    return int(fields["t"])

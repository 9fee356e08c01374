"""The only place that talks to Stripe, through stripe-python.

Never call any of this inside a transaction. Every call may raise Unreachable (outcome unknown) or
Refused (asking again gives the same).
"""

import functools
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import stripe
from django.conf import settings

from common import outside
from payments.stripe import rules
from payments.stripe.errors import (
    BadSignature,
    Declined,
    KeySpent,
    Refused,
    ServerFault,
    Unreachable,
)

T = TypeVar("T")
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


class Outside(stripe.RequestsClient):
    """Stripe's own client, measured, and with our request's id on each call."""

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        post_data: Any = None,
        **more: Any,
    ) -> Any:
        with outside.calling("stripe", f"{method} {rules.resource(url)}"):
            own = {**(headers or {}), **outside.headers()}
            return super().request(method, url, own, post_data, **more)


@functools.lru_cache(maxsize=4)
def _client(key: str, base: str, version: str, timeout: float) -> stripe.StripeClient:
    return stripe.StripeClient(
        key,
        base_addresses={"api": base},
        stripe_version=version,
        http_client=Outside(timeout=timeout),
        # A retry keeps its idempotency key, so a lost answer does not charge twice.
        max_network_retries=1,
    )


def client() -> stripe.StripeClient:
    return _client(
        settings.STRIPE_SECRET_KEY,
        settings.STRIPE_API_BASE,
        settings.STRIPE_API_VERSION,
        settings.STRIPE_TIMEOUT_SECONDS,
    )


@contextmanager
def _answers() -> Iterator[None]:
    """Stripe's exceptions as ours: declined, refused, or nobody knows."""
    try:
        yield
    except stripe.CardError as error:
        raise Declined(_card_error(error)) from error
    except stripe.IdempotencyError as error:
        raise KeySpent(type(error).__name__) from error
    # A wrong key is ours to mend, not the customer's: what was asked waits until it is.
    except (
        stripe.APIConnectionError,
        stripe.RateLimitError,
        stripe.APIError,
        stripe.AuthenticationError,
        stripe.PermissionError,
    ) as error:
        raise _unknown(error) from error
    except stripe.StripeError as error:
        # A concurrent call with the same key is answered 409: its outcome is the other call's.
        if error.http_status == 409 or (error.http_status or 500) >= 500:
            raise _unknown(error) from error
        raise Refused(error.code or "invalid_request", error.user_message or "refused") from error


def _unknown(error: stripe.StripeError) -> Unreachable:
    kind = ServerFault if (error.http_status or 0) >= 500 else Unreachable
    return kind(type(error).__name__)


def _with_key(key: str, call: Callable[[str], T]) -> T:
    """Call with `key`; where that is spent, with a new one.

    Only for what may exist twice: an intent or customer that nobody uses moves no money.
    """
    try:
        with _answers():
            return call(key)
    except KeySpent:
        with _answers():
            return call(another(key))


def another(key: str) -> str:
    """A key under which Stripe keeps no answer yet."""
    return f"{key}-{uuid.uuid4().hex}"


def _card_error(error: stripe.CardError) -> dict[str, Any]:
    found = error.error
    return {
        "code": error.code or "card_declined",
        "decline_code": getattr(found, "decline_code", None),
        "message": error.user_message or "The card was declined.",
    }


def create_customer(*, email: str, user_uid: str) -> str:
    customer = _with_key(
        f"customer-{user_uid}",
        lambda key: client().v1.customers.create(
            {"email": email, "metadata": {"user": user_uid}}, {"idempotency_key": key}
        ),
    )
    return str(customer.id)


def create_intent(
    *, key: str, amount: int, currency: str, customer: str, metadata: dict[str, str]
) -> Intent:
    intent = _with_key(
        f"intent-{key}",
        lambda key: client().v1.payment_intents.create(
            {
                "amount": amount,
                "currency": currency.lower(),
                "customer": customer,
                # Cards only: no method that sends the buyer to another site and back.
                "allowed_payment_method_types": ["card"],
                "metadata": metadata,
            },
            {"idempotency_key": key},
        ),
    )
    return _intent(intent)


def retrieve_intent(intent_id: str) -> Intent:
    with _answers():
        return _intent(client().v1.payment_intents.retrieve(intent_id, WITH_CHARGE))


def confirm_intent(intent_id: str, *, payment_method: str, idempotency_key: str) -> Intent:
    """Raises Declined as well."""
    with _answers():
        intent = client().v1.payment_intents.confirm(
            intent_id,
            {"payment_method": payment_method, "expand": ["latest_charge"]},
            {"idempotency_key": idempotency_key},
        )
    return _intent(intent)


def cancel_intent(intent_id: str) -> Intent:
    with _answers():
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


def create_refund(*, refund_uid: str, intent_id: str, amount: int) -> ProviderRefund:
    """Look for the refund, then ask for it.

    The key alone would not do: Stripe forgets it after a day; till then a 5xx may be kept under it.
    """
    key = f"refund-{refund_uid}"
    found = _find_refund(refund_uid, intent_id)
    try:
        return found or _create_refund(refund_uid, intent_id, amount, key)
    except KeySpent:
        found = _find_refund(refund_uid, intent_id)
        return found or _create_refund(refund_uid, intent_id, amount, another(key))


def _create_refund(refund_uid: str, intent_id: str, amount: int, key: str) -> ProviderRefund:
    with _answers():
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
    with _answers():
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
    with _answers():
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
    with _answers():
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

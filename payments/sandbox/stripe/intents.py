"""PaymentIntents: create, update, capture, cancel; `confirm.py` has the rest.

requires_payment_method → requires_confirmation → requires_action → processing →
requires_capture → succeeded | canceled. A step out of order is
`payment_intent_unexpected_state`, with the intent in the error.
Source: https://docs.stripe.com/payments/paymentintents/lifecycle
"""

from payments.sandbox.stripe import charges, confirm, customers, errors, methods, objects
from payments.sandbox.stripe.context import Context
from payments.sandbox.stripe.errors import JSON
from payments.sandbox.stripe.params import (
    PAGE,
    Parser,
    Spec,
    any_hash,
    boolean,
    check_amount,
    currency,
    email,
    metadata,
    nested,
    one_of,
    positive,
    removed_types,
    text,
    texts,
)

OPEN = ("requires_payment_method", "requires_confirmation", "requires_action")
CANCELABLE = (
    "requires_payment_method",
    "requires_capture",
    "requires_confirmation",
    "requires_action",
    "processing",
)
_AUTOMATIC = nested({"enabled": boolean, "allow_redirects": one_of("always", "never")})
_FIELDS: dict[str, Parser] = {
    "amount": positive,
    "currency": currency,
    "customer": text,
    "description": text,
    "expand": texts,
    "metadata": metadata,
    "payment_method": text,
    "payment_method_options": any_hash,
    "payment_method_types": removed_types,
    "allowed_payment_method_types": texts,
    "receipt_email": email,
    "setup_future_usage": one_of("off_session", "on_session"),
    "shipping": any_hash,
    "statement_descriptor": text,
    "statement_descriptor_suffix": text,
    "transfer_group": text,
    "capture_method": one_of("automatic", "automatic_async", "manual"),
}
_CONFIRM_FIELDS: dict[str, Parser] = {
    "off_session": boolean,
    "error_on_requires_action": boolean,
    "return_url": confirm.RETURN_URL,
    "use_stripe_sdk": boolean,
}
CREATE = Spec(
    {
        **_FIELDS,
        **_CONFIRM_FIELDS,
        "automatic_payment_methods": _AUTOMATIC,
        "confirm": boolean,
        "confirmation_method": one_of("automatic", "manual"),
    },
    ("amount", "currency"),
)
UPDATE = Spec(_FIELDS)
CAPTURE = Spec({"amount_to_capture": positive, "metadata": metadata, "expand": texts})
CANCEL = Spec(
    {
        "cancellation_reason": one_of(
            "duplicate", "fraudulent", "requested_by_customer", "abandoned"
        ),
        "expand": texts,
    }
)
LIST = Spec({**PAGE, "customer": text})
_COPIED = (
    "capture_method", "confirmation_method", "customer", "description", "receipt_email",
    "setup_future_usage", "shipping", "statement_descriptor", "statement_descriptor_suffix",
    "transfer_group",
)  # fmt: skip


def create(ctx: Context) -> JSON:
    params = ctx.params
    check_amount(params["amount"], params["currency"])
    _check_confirm_only(params)
    intent = objects.payment_intent(params["amount"], params["currency"], ctx.now)
    _types(ctx, intent, new=True)
    _write(ctx, intent)
    ctx.emit("payment_intent.created", intent)
    if params.get("confirm"):
        confirm.run(ctx, intent)
    return intent


def retrieve(ctx: Context, id_: str) -> JSON:
    return ctx.require("payment_intent", id_, "intent")


def list_(ctx: Context) -> JSON:
    where = {"customer": ctx.params.get("customer")}
    return ctx.page("payment_intent", "/v1/payment_intents", where)


def update(ctx: Context, id_: str) -> JSON:
    """Metadata and description at any time; what is paid, and how, only while it is open."""
    intent = ctx.require("payment_intent", id_, "intent")
    for name in ctx.params.keys() - {"metadata", "description", "expand", "receipt_email"}:
        if intent["status"] not in OPEN:
            raise _frozen(intent, name)
    ctx.copy_params(intent, "amount", "currency")
    check_amount(intent["amount"], intent["currency"])
    if {"amount", "currency"} & ctx.params.keys() and intent["status"] == "requires_action":
        intent.update(status="requires_confirmation", next_action=None)
    _types(ctx, intent, new=False)
    _write(ctx, intent)
    return intent


def capture(ctx: Context, id_: str) -> JSON:
    intent = ctx.require("payment_intent", id_, "intent")
    if intent["status"] != "requires_capture":
        raise _not_capturable(intent)
    amount: int = ctx.params.get("amount_to_capture") or intent["amount_capturable"]
    if amount > intent["amount_capturable"]:
        message = "The requested capture amount is greater than the authorized amount."
        raise errors.invalid(message, code="amount_too_large", param="amount_to_capture")
    ctx.change_metadata(intent)
    charges.capture(ctx, intent, amount)
    return intent


def cancel(ctx: Context, id_: str) -> JSON:
    intent = ctx.require("payment_intent", id_, "intent")
    if intent["status"] not in CANCELABLE:
        raise _refused(intent, "cancel", "canceled", CANCELABLE)
    if intent["status"] == "requires_capture":
        charges.release(ctx, intent)
    reason = ctx.params.get("cancellation_reason")
    intent.update(status="canceled", canceled_at=ctx.now, cancellation_reason=reason)
    intent.update(next_action=None, processing=None, amount_capturable=0)
    ctx.store.put(intent)
    ctx.emit("payment_intent.canceled", intent)
    return intent


def _check_confirm_only(params: JSON) -> None:
    for name in ("off_session", "error_on_requires_action", "return_url"):
        if name in params and not params.get("confirm"):
            message = f"You cannot specify `{name}` without also specifying `confirm=true`."
            raise errors.invalid(message, param=name, stored=False)


def _types(ctx: Context, intent: JSON, *, new: bool) -> None:
    """Only cards. With neither parameter Stripe chooses by itself, redirects included."""
    types = ctx.params.get("allowed_payment_method_types")
    automatic = ctx.params.get("automatic_payment_methods")
    if types is not None and automatic:
        message = "You may only specify one of these parameters: automatic_payment_methods, "
        raise errors.invalid(f"{message}allowed_payment_method_types.", stored=False)
    for name in types or []:
        if name != "card":
            message = f'The payment method type "{name}" is invalid. The sandbox has only "card".'
            raise errors.invalid(message, param="allowed_payment_method_types", stored=False)
    if types is not None:
        intent["automatic_payment_methods"] = None
    elif automatic is not None or new:
        intent["automatic_payment_methods"] = _choice(automatic or {})


def _choice(given: JSON) -> JSON | None:
    if not given.get("enabled", True):
        return None
    return {"allow_redirects": given.get("allow_redirects", "always"), "enabled": True}


def _write(ctx: Context, intent: JSON) -> None:
    if ctx.params.get("customer"):
        customers.living(ctx, ctx.params["customer"])
    ctx.copy_params(intent, *_COPIED)
    intent["payment_method_options"].update(ctx.params.get("payment_method_options") or {})
    ctx.change_metadata(intent)
    if ctx.params.get("payment_method"):
        _choose_method(ctx, intent)
    ctx.store.put(intent)


def _choose_method(ctx: Context, intent: JSON) -> None:
    method = methods.resolve(ctx, ctx.params["payment_method"], "payment_method")
    confirm.check_owner(intent, method)
    methods.refuse_used(ctx, method)
    intent.update(payment_method=method["id"], status="requires_confirmation", next_action=None)


def _refused(intent: JSON, verb: str, done: str, allowed: tuple[str, ...]) -> errors.StripeError:
    message = (
        f"You cannot {verb} this PaymentIntent because it has a status of {intent['status']}. "
        f"Only a PaymentIntent with one of the following statuses may be {done}: "
        f"{', '.join(allowed)}."
    )
    return errors.unexpected_state(message, intent)


def _not_capturable(intent: JSON) -> errors.StripeError:
    message = (
        "This PaymentIntent could not be captured because it has a status of "
        f"{intent['status']}. Only a PaymentIntent with one of the following statuses may be "
        "captured: requires_capture."
    )
    if intent["status"] == "succeeded":
        message = "This PaymentIntent could not be captured because it has already been captured."
    return errors.unexpected_state(message, intent)


def _frozen(intent: JSON, name: str) -> errors.StripeError:
    message = (
        f"This PaymentIntent's {name} could not be updated because it has a status of "
        f"{intent['status']}. You may only update the {name} of a PaymentIntent with one of the "
        f"following statuses: {', '.join(OPEN)}."
    )
    return errors.unexpected_state(message, intent)

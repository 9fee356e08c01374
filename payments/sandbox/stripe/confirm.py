"""Confirming a PaymentIntent: 3-D Secure where the card asks for it, then the charge."""

from payments.sandbox.stripe import charges, errors, faults, methods
from payments.sandbox.stripe.cards import AUTHENTICATION_REQUIRED, Card
from payments.sandbox.stripe.context import Context
from payments.sandbox.stripe.errors import JSON
from payments.sandbox.stripe.objects import token
from payments.sandbox.stripe.params import (
    Spec,
    any_hash,
    boolean,
    email,
    one_of,
    removed_types,
    text,
    texts,
    url,
)

RETURN_URL = url
CONFIRM = Spec(
    {
        "payment_method": text,
        "payment_method_options": any_hash,
        "payment_method_types": removed_types,
        "capture_method": one_of("automatic", "automatic_async", "manual"),
        "off_session": boolean,
        "error_on_requires_action": boolean,
        "receipt_email": email,
        "return_url": url,
        "setup_future_usage": one_of("off_session", "on_session"),
        "shipping": any_hash,
        "use_stripe_sdk": boolean,
        "expand": texts,
    }
)
CONFIRMABLE = ("requires_payment_method", "requires_confirmation", "requires_action")
AUTHENTICATION_FAILED = (
    "We are unable to authenticate your payment method. Please choose a different payment method "
    "and try again."
)


def confirm(ctx: Context, id_: str) -> JSON:
    intent = ctx.require("payment_intent", id_, "intent")
    _check_status(intent)
    ctx.copy_params(intent, "capture_method", "receipt_email", "setup_future_usage", "shipping")
    if ctx.params.get("payment_method"):
        method = methods.resolve(ctx, ctx.params["payment_method"], "payment_method")
        intent["payment_method"] = method["id"]
    run(ctx, intent)
    return intent


def _check_status(intent: JSON) -> None:
    if intent["status"] == "succeeded":
        message = (
            "You cannot confirm this PaymentIntent because it has already succeeded after being "
            "previously confirmed."
        )
        raise errors.unexpected_state(message, intent)
    if intent["status"] not in CONFIRMABLE:
        message = (
            f"You cannot confirm this PaymentIntent because it has a status of {intent['status']}."
            " Only a PaymentIntent with one of the following statuses may be confirmed: "
            "requires_confirmation, requires_action."
        )
        raise errors.unexpected_state(message, intent)


def run(ctx: Context, intent: JSON) -> None:
    """Confirm with the method the intent has.

    Raises StripeError: 400 without a method or return_url, 402 on a decline.
    """
    if intent["payment_method"] is None:
        message = (
            "You cannot confirm this PaymentIntent because it's missing a payment method. You can "
            "either update the PaymentIntent with a payment method and then confirm it again, or "
            "confirm it again directly with a payment method or ConfirmationToken."
        )
        raise errors.unexpected_state(message, intent)
    _check_return_url(ctx, intent)
    method = ctx.require("payment_method", intent["payment_method"], "payment_method", 400)
    check_owner(intent, method)
    methods.refuse_used(ctx, method)
    intent.update(last_payment_error=None, next_action=None)
    if _asks(ctx, intent, method):
        _challenge(ctx, intent, method)
    elif fault := faults.take(ctx.store, "payments", intent["id"]):
        _process(ctx, intent, fault.seconds)
    else:
        charges.attempt(ctx, intent, method, authenticated=False)


def check_owner(intent: JSON, method: JSON) -> None:
    """A customer's method pays only for that customer. Raises StripeError 400."""
    if method["customer"] is None or method["customer"] == intent["customer"]:
        return
    message = (
        "The provided PaymentMethod belongs to a Customer. Please include the Customer in the "
        "`customer` parameter on the PaymentIntent."
    )
    if intent["customer"]:
        message = (
            "The provided PaymentMethod cannot be attached or used with this Customer: it belongs "
            "to another one."
        )
    raise errors.invalid(message, param="payment_method")


def _check_return_url(ctx: Context, intent: JSON) -> None:
    automatic = intent["automatic_payment_methods"]
    if automatic is None or automatic["allow_redirects"] == "never" or ctx.params.get("return_url"):
        return
    message = (
        "This PaymentIntent is configured to accept payment methods enabled in your Dashboard. "
        "Because some of these payment methods might redirect your customer off of your page, you "
        "must provide a `return_url`. If you don't want to accept redirect-based payment methods, "
        "set `automatic_payment_methods[enabled]` to `true` and "
        "`automatic_payment_methods[allow_redirects]` to `never` when creating Setup Intents and "
        "Payment Intents."
    )
    raise errors.invalid(message)


def _asks(ctx: Context, intent: JSON, method: JSON) -> bool:
    card: Card = methods.card_of(ctx, method)
    if card.challenge == "unless_set_up":
        return not ctx.store.hidden(method["id"]).get("set_up")
    if card.challenge == "unless_off_session":
        return not ctx.params.get("off_session")
    return card.challenge == "always"


def _challenge(ctx: Context, intent: JSON, method: JSON) -> None:
    if ctx.params.get("off_session") or ctx.params.get("error_on_requires_action"):
        raise charges.declined(ctx, intent, method, AUTHENTICATION_REQUIRED)
    secret = intent["client_secret"]
    page = f"{ctx.base_url}/authenticate/{intent['id']}?client_secret={secret}"
    intent["next_action"] = _next_action(page, ctx.params.get("return_url"))
    intent["status"] = "requires_action"
    ctx.store.put(intent)
    ctx.emit("payment_intent.requires_action", intent)


def _next_action(page: str, return_url: str | None) -> JSON:
    """A redirect where there is a way back, else what Stripe.js would work from."""
    if return_url:
        redirect = {"return_url": return_url, "url": page}
        return {"type": "redirect_to_url", "redirect_to_url": redirect}
    sdk = {"type": "three_d_secure_redirect", "stripe_js": page, "source": f"src_{token(24)}"}
    return {"type": "use_stripe_sdk", "use_stripe_sdk": sdk}


def _process(ctx: Context, intent: JSON, seconds: float) -> None:
    """A bank that takes its time, on demand only: no test card does it."""
    intent["status"] = "processing"
    intent["processing"] = {"type": "card", "card": {"customer_notification": None}}
    ctx.store.put(intent)
    ctx.store.schedule("intent.finish", intent["id"], seconds or ctx.settle_seconds)
    ctx.emit("payment_intent.processing", intent)


def finish(ctx: Context, id_: str) -> None:
    """End the processing of an intent that is still processing."""
    intent = ctx.require("payment_intent", id_)
    if intent["status"] == "processing":
        _charge(ctx, intent, authenticated=False)


def authenticate(ctx: Context, id_: str, outcome: str) -> JSON:
    """What the cardholder did with 3-D Secure: `success` or `failure`.

    Raises StripeError 400 unless the intent waits for it.
    """
    intent = ctx.require("payment_intent", id_, "intent")
    if outcome not in ("success", "failure"):
        raise errors.invalid("Invalid outcome: must be one of success, or failure", param="outcome")
    if intent["status"] != "requires_action":
        message = f"Nothing to authenticate: the status is {intent['status']}."
        raise errors.unexpected_state(message, intent)
    if outcome == "success":
        _charge(ctx, intent, authenticated=True)
    else:
        _fail_authentication(ctx, intent)
    return intent


def _charge(ctx: Context, intent: JSON, *, authenticated: bool) -> None:
    method = ctx.require("payment_method", intent["payment_method"])
    try:
        charges.attempt(ctx, intent, method, authenticated=authenticated)
    except errors.StripeError as error:
        # Nobody waits for this answer: a decline shows on the intent and as an event.
        if not error.keep_work:
            raise


def _fail_authentication(ctx: Context, intent: JSON) -> None:
    method = ctx.require("payment_method", intent["payment_method"])
    code = "payment_intent_authentication_failure"
    fields = {"code": code, "message": AUTHENTICATION_FAILED}
    charges.fail_intent(ctx, intent, method, "invalid_request_error", fields)

"""Charges: one attempt on a card, its capture, its line of the balance, its dispute."""

from payments.sandbox.stripe import cards, disputes, errors, methods, objects
from payments.sandbox.stripe.cards import Card, Decline
from payments.sandbox.stripe.context import Context
from payments.sandbox.stripe.errors import JSON
from payments.sandbox.stripe.params import PAGE, Spec, metadata, text, texts

LIST = Spec({**PAGE, "payment_intent": text, "customer": text})
UPDATE = Spec({"metadata": metadata, "description": text, "expand": texts})


def retrieve(ctx: Context, id_: str) -> JSON:
    return ctx.require("charge", id_, "charge")


def list_(ctx: Context) -> JSON:
    where = {name: ctx.params.get(name) for name in ("payment_intent", "customer")}
    return ctx.page("charge", "/v1/charges", where)


def update(ctx: Context, id_: str) -> JSON:
    charge = ctx.require("charge", id_, "charge")
    ctx.copy_params(charge, "description")
    ctx.change_metadata(charge)
    ctx.store.put(charge)
    ctx.emit("charge.updated", charge)
    return charge


def attempt(ctx: Context, intent: JSON, method: JSON, *, authenticated: bool) -> None:
    """Charge the card for the intent, which becomes succeeded or requires_capture.

    Raises StripeError 402 on a decline, with a failed charge left behind.
    """
    card = methods.card_of(ctx, method)
    charge = objects.charge(
        intent, method, ctx.now, authenticated=authenticated, base_url=ctx.base_url
    )
    intent["latest_charge"] = charge["id"]
    if card.decline:
        _fail(ctx, charge, card.decline)
        raise declined(ctx, intent, method, card.decline, charge["id"])
    ctx.store.put(charge, {"card": card.name})
    approve(ctx, intent, method, charge, card)


def approve(ctx: Context, intent: JSON, method: JSON, charge: JSON, card: Card) -> None:
    intent["next_action"] = None
    _settle_method(ctx, intent, method)
    if intent["capture_method"] == "manual":
        _authorise(ctx, intent, charge)
    else:
        _collect(charge, charge["amount"])
        succeed(ctx, intent, charge, "charge.succeeded")
    disputes.open_if_doomed(ctx, charge, card)


def _settle_method(ctx: Context, intent: JSON, method: JSON) -> None:
    if intent["setup_future_usage"]:
        methods.set_up(ctx, method)
        if intent["customer"]:
            methods.keep(ctx, method, intent["customer"])
    elif method["customer"] is None:
        methods.spend(ctx, method)


def _authorise(ctx: Context, intent: JSON, charge: JSON) -> None:
    intent["status"] = "requires_capture"
    intent["amount_capturable"] = intent["amount"]
    ctx.store.put(charge)
    ctx.store.put(intent)
    ctx.emit("charge.succeeded", charge)
    ctx.emit("payment_intent.amount_capturable_updated", intent)


def _collect(charge: JSON, amount: int) -> None:
    charge["captured"] = True
    charge["amount_captured"] = amount


def capture(ctx: Context, intent: JSON, amount: int) -> None:
    charge = ctx.require("charge", intent["latest_charge"])
    _collect(charge, amount)
    succeed(ctx, intent, charge, "charge.captured")


def succeed(ctx: Context, intent: JSON, charge: JSON, event: str) -> None:
    """Money received. With automatic_async the balance's line follows later, as on Stripe."""
    intent["status"] = "succeeded"
    intent["amount_capturable"] = 0
    intent["amount_received"] = charge["amount_captured"]
    intent["processing"] = None
    if intent["capture_method"] == "automatic_async":
        ctx.store.schedule("charge.settle", charge["id"], ctx.settle_seconds)
    else:
        book(ctx, charge, charge["amount_captured"], "charge")
    ctx.store.put(charge)
    ctx.store.put(intent)
    ctx.emit(event, charge)
    ctx.emit("payment_intent.succeeded", intent)


def book(ctx: Context, source: JSON, amount: int, kind: str) -> None:
    """A line of the balance for a charge or a refund."""
    line = objects.balance_transaction(source, amount, kind, ctx.now)
    ctx.store.put(line)
    source["balance_transaction"] = line["id"]


def settle(ctx: Context, id_: str) -> None:
    """The line of the balance that an asynchronous capture left for later."""
    charge = ctx.require("charge", id_)
    if charge["balance_transaction"] is None:
        book(ctx, charge, charge["amount_captured"], "charge")
        ctx.store.put(charge)
        ctx.emit("charge.updated", charge, {"balance_transaction": None})


def release(ctx: Context, intent: JSON) -> None:
    """Give up an authorisation: Stripe shows the charge as refunded in full."""
    charge = ctx.require("charge", intent["latest_charge"])
    charge["refunded"] = True
    charge["amount_refunded"] = charge["amount"]
    ctx.store.put(charge)
    ctx.emit("charge.refunded", charge)


def _fail(ctx: Context, charge: JSON, decline: Decline) -> None:
    charge.update(status="failed", paid=False, failure_code=decline.code)
    charge["failure_message"] = decline.message
    charge["outcome"] = objects.outcome_declined(decline.decline_code or decline.code)
    ctx.store.put(charge, {})
    ctx.emit("charge.failed", charge)


def declined(
    ctx: Context, intent: JSON, method: JSON, decline: Decline, charge: str | None = None
) -> errors.StripeError:
    """Put the intent back to requires_payment_method; the error to raise."""
    fields = cards.decline_fields(decline)
    fields["advice_code"] = "try_again_later" if decline.code == "processing_error" else None
    fields["charge"] = charge
    fail_intent(ctx, intent, method, "card_error", fields)
    error = errors.card_error(decline.message, decline.code)
    extra = {name: fields[name] for name in fields.keys() - {"code", "message"}}
    return error.with_fields(**extra, payment_intent=intent, payment_method=method)


def fail_intent(ctx: Context, intent: JSON, method: JSON, type_: str, fields: JSON) -> None:
    known = {name: value for name, value in fields.items() if value is not None}
    doc_url = f"https://stripe.com/docs/error-codes/{known['code'].replace('_', '-')}"
    error = {**known, "type": type_, "doc_url": doc_url, "payment_method": method}
    intent.update(status="requires_payment_method", payment_method=None, next_action=None)
    intent.update(last_payment_error=error, processing=None, amount_capturable=0)
    ctx.store.put(intent)
    ctx.emit("payment_intent.payment_failed", intent)

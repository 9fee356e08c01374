"""Refunds: partial or whole, never more than was captured, and the ones that fail later."""

from payments.sandbox.stripe import charges, disputes, errors, objects
from payments.sandbox.stripe.cards import CARDS
from payments.sandbox.stripe.context import Context
from payments.sandbox.stripe.errors import JSON
from payments.sandbox.stripe.params import (
    PAGE,
    Spec,
    metadata,
    money,
    one_of,
    positive,
    text,
    texts,
)

CREATE = Spec(
    {
        "payment_intent": text,
        "charge": text,
        "amount": positive,
        "reason": one_of("duplicate", "fraudulent", "requested_by_customer"),
        "metadata": metadata,
        "expand": texts,
    }
)
UPDATE = Spec({"metadata": metadata, "expand": texts})
LIST = Spec({**PAGE, "payment_intent": text, "charge": text})


def create(ctx: Context) -> JSON:
    """Raises StripeError 400: nothing to refund, refunded already, more than is left, disputed."""
    charge = _charge(ctx)
    amount = _amount(ctx, charge)
    refund = objects.refund(charge, amount, ctx.now)
    ctx.copy_params(refund, "reason")
    ctx.change_metadata(refund)
    _later(ctx, refund, CARDS[ctx.store.hidden(charge["id"])["card"]].after)
    charges.book(ctx, refund, -amount, "refund")
    ctx.store.put(refund)
    _count(ctx, charge, amount)
    ctx.emit("refund.created", refund)
    ctx.emit("charge.refunded", charge)
    return refund


def retrieve(ctx: Context, id_: str) -> JSON:
    return ctx.require("refund", id_, "refund")


def update(ctx: Context, id_: str) -> JSON:
    refund = ctx.require("refund", id_, "refund")
    ctx.change_metadata(refund)
    ctx.store.put(refund)
    _tell(ctx, refund)
    return refund


def list_(ctx: Context) -> JSON:
    where = {name: ctx.params.get(name) for name in ("payment_intent", "charge")}
    return ctx.page("refund", "/v1/refunds", where)


def list_of_charge(ctx: Context, charge: str) -> JSON:
    ctx.require("charge", charge, "charge")
    return ctx.page("refund", f"/v1/charges/{charge}/refunds", {"charge": charge})


def _charge(ctx: Context) -> JSON:
    """The charge to refund, named by itself or by its intent."""
    intent_id, charge_id = ctx.params.get("payment_intent"), ctx.params.get("charge")
    if bool(intent_id) == bool(charge_id):
        message = "One of the following params should be provided for this request: payment_intent "
        raise errors.invalid(f"{message}or charge.", code="parameter_missing", stored=False)
    if charge_id:
        charge = ctx.require("charge", charge_id, "charge", 400)
    else:
        charge = _charge_of(ctx, intent_id or "")
    if charge["status"] != "succeeded" or not charge["captured"]:
        raise _nothing(charge["payment_intent"])
    return charge


def _charge_of(ctx: Context, intent_id: str) -> JSON:
    intent = ctx.require("payment_intent", intent_id, "payment_intent", 400)
    if intent["latest_charge"] is None:
        raise _nothing(intent_id)
    return ctx.require("charge", intent["latest_charge"])


def _nothing(intent_id: str) -> errors.StripeError:
    message = f"This PaymentIntent ({intent_id}) does not have a successful charge to refund."
    return errors.invalid(message, param="payment_intent")


def _amount(ctx: Context, charge: JSON) -> int:
    left = charge["amount_captured"] - charge["amount_refunded"]
    if left <= 0:
        message = f"Charge {charge['id']} has already been refunded."
        raise errors.invalid(message, code="charge_already_refunded")
    if disputes.blocks_refund(ctx, charge):
        message = f"Charge {charge['id']} has been charged back; cannot issue a refund."
        raise errors.invalid(message, code="charge_disputed")
    amount: int = ctx.params.get("amount", left)
    if amount > left:
        asked, most = (money(value, charge["currency"]) for value in (amount, left))
        message = f"Refund amount ({asked}) is greater than unrefunded amount on charge ({most})"
        # Stripe sends no code for this one.
        raise errors.invalid(message, param="amount")
    return amount


def _later(ctx: Context, refund: JSON, after: str) -> None:
    if after == "refund_pends":
        refund["status"] = "pending"
        ctx.store.schedule("refund.succeed", refund["id"], ctx.settle_seconds)
    if after == "refund_fails":
        ctx.store.schedule("refund.fail", refund["id"], ctx.settle_seconds)


def _count(ctx: Context, charge: JSON, amount: int) -> None:
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["amount_refunded"] == charge["amount_captured"]
    ctx.store.put(charge)


def _tell(ctx: Context, refund: JSON, previous: JSON | None = None) -> None:
    ctx.emit("refund.updated", refund, previous)
    ctx.emit("charge.refund.updated", refund, previous)


def succeed(ctx: Context, id_: str) -> None:
    """What a pending refund comes to."""
    refund = ctx.require("refund", id_)
    refund["status"] = "succeeded"
    ctx.store.put(refund)
    _tell(ctx, refund, {"status": "pending"})


def fail(ctx: Context, id_: str) -> None:
    """A refund that the bank sends back: its amount can be refunded again."""
    refund = ctx.require("refund", id_)
    before = refund["status"]
    refund.update(status="failed", failure_reason="expired_or_canceled_card")
    source = {**refund, "id": refund["id"]}
    charges.book(ctx, source, refund["amount"], "refund_failure")
    refund["failure_balance_transaction"] = source["balance_transaction"]
    ctx.store.put(refund)
    _count(ctx, ctx.require("charge", refund["charge"]), -refund["amount"])
    _tell(ctx, refund, {"status": before})
    ctx.emit("refund.failed", refund)

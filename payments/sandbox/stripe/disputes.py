"""Disputes: opened by the cards that ask for one, closed by the sandbox's own control."""

from payments.sandbox.stripe import errors, objects
from payments.sandbox.stripe.cards import Card
from payments.sandbox.stripe.context import Context
from payments.sandbox.stripe.errors import JSON
from payments.sandbox.stripe.params import PAGE, Spec, text

LIST = Spec({**PAGE, "payment_intent": text, "charge": text})
OPEN = ("warning_needs_response", "needs_response", "under_review", "warning_under_review")


def retrieve(ctx: Context, id_: str) -> JSON:
    return ctx.require("dispute", id_, "dispute")


def list_(ctx: Context) -> JSON:
    where = {name: ctx.params.get(name) for name in ("payment_intent", "charge")}
    return ctx.page("dispute", "/v1/disputes", where)


def open_if_doomed(ctx: Context, charge: JSON, card: Card) -> None:
    """What `pm_card_createDispute` and its kin are for; only captured money is disputed."""
    if card.after not in ("dispute", "inquiry") or not charge["captured"]:
        return
    inquiry = card.after == "inquiry"
    dispute = objects.dispute(charge, ctx.now, reason=card.dispute_reason, inquiry=inquiry)
    charge["disputed"] = True
    ctx.store.put(charge)
    if not inquiry:
        _move(ctx, dispute, -dispute["amount"])
    ctx.store.put(dispute)
    ctx.emit("charge.dispute.created", dispute)
    if not inquiry:
        ctx.emit("charge.dispute.funds_withdrawn", dispute)


def _move(ctx: Context, dispute: JSON, amount: int) -> None:
    line = objects.balance_transaction(dispute, amount, "adjustment", ctx.now)
    ctx.store.put(line)
    dispute["balance_transactions"] = [*dispute["balance_transactions"], line]


def close(ctx: Context, id_: str, status: str) -> JSON:
    """End a dispute `won` or `lost`. Raises StripeError 400 when it has ended."""
    dispute = ctx.require("dispute", id_, "dispute")
    if status not in ("won", "lost"):
        raise errors.invalid("Invalid status: must be one of won, or lost", param="status")
    if dispute["status"] not in OPEN:
        raise errors.invalid("This dispute is already closed.", param="dispute")
    before = dispute["status"]
    dispute["status"] = status
    if status == "won" and dispute["balance_transactions"]:
        _move(ctx, dispute, dispute["amount"])
        ctx.emit("charge.dispute.funds_reinstated", dispute)
    ctx.store.put(dispute)
    ctx.emit("charge.dispute.closed", dispute, {"status": before})
    return dispute


def blocks_refund(ctx: Context, charge: JSON) -> bool:
    """Whether money already withdrawn stands in a refund's way."""
    found, _ = ctx.store.find("dispute", {"charge": charge["id"]})
    return any(d["status"] != "won" and not d["is_charge_refundable"] for d in found)

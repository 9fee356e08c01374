"""Disputes at Stripe: asked about, then written down by the payment machine."""

from payments.intake import services as machine
from payments.stripe import gateway, rules, selectors
from payments.stripe.gateway import ProviderDispute
from payments.stripe.rules import DisputeState


def dispute_sync(*, dispute_id: str) -> bool:
    """Ask Stripe about a dispute; False where it is not about a payment of ours.

    Raises Unreachable.
    """
    return dispute_apply(gateway.retrieve_dispute(dispute_id))


def dispute_apply(dispute: ProviderDispute) -> bool:
    """What a dispute as Stripe just told it means for its payment; safe to repeat."""
    known = selectors.intent_by_stripe_id(dispute.intent_id)
    if known is None:
        return False
    state = rules.dispute_state(dispute.status)
    if state is DisputeState.UNTOUCHED:
        return True
    reference = f"stripe:{dispute.id}"
    # The outcome may be the first thing we hear of it.
    machine.dispute_open(
        payment_id=known.payment_id,
        reference=reference,
        amount=dispute.amount,
        reason=dispute.reason,
    )
    if state is not DisputeState.WITHDRAWN:
        machine.dispute_close(reference=reference, won=state is DisputeState.RETURNED)
    return True

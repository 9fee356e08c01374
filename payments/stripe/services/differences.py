"""How a payment as Stripe has it differs from how it is written down here. Asks and writes nothing.

What is `mendable` needs only to be told again to the payment machine; the rest is for people.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from common.money import DECIMALS, to_text
from payments.intake.models import Dispute, Refund
from payments.intake.rules import GONE, OPEN, Destination, DisputeStatus, RefundStatus, Status
from payments.stripe import rules
from payments.stripe.gateway import Intent, ProviderDispute, ProviderRefund
from payments.stripe.rules import DisputeState, Outcome
from payments.stripe.selectors import Ours

# A refund that no worker has sent after this long is stuck, not on its way.
UNSENT: Final = timedelta(hours=1)
_WRITTEN: Final = {
    DisputeState.WITHDRAWN: DisputeStatus.OPEN,
    DisputeState.RETURNED: DisputeStatus.WON,
    DisputeState.LOST: DisputeStatus.LOST,
}


@dataclass(frozen=True, slots=True)
class Facts:
    """An intent with its refunds and disputes, as Stripe tells; None where it has no such one."""

    intent_id: str
    intent: Intent | None
    refunds: tuple[ProviderRefund, ...] = ()
    disputes: tuple[ProviderDispute, ...] = ()

    @property
    def uid(self) -> str:
        """The payment of ours that it names."""
        return self.intent.metadata.get("payment", "") if self.intent else ""

    @property
    def money(self) -> int:
        """What Stripe holds of it: what came in, less what has gone back or was withdrawn."""
        received = self.intent.received if self.intent else 0
        gone = sum(refund.amount for refund in self.refunds if refund.status == "succeeded")
        away = (DisputeState.WITHDRAWN, DisputeState.LOST)
        states = ((rules.dispute_state(each.status), each.amount) for each in self.disputes)
        return received - gone - sum(amount for state, amount in states if state in away)


class Mend(StrEnum):
    """What to tell again."""

    NOTHING = "nothing"
    INTENT = "intent"
    CANCEL = "cancel"
    REFUND = "refund"
    DISPUTE = "dispute"


@dataclass(frozen=True, slots=True)
class Difference:
    text: str
    mend: Mend = Mend.NOTHING
    refund: ProviderRefund | None = None
    dispute: ProviderDispute | None = None


def differences(facts: Facts, ours: Ours, now: datetime) -> list[Difference]:
    own = ours.intent_id in ("", facts.intent_id)
    found = list(_intent(facts, ours) if own else _stray(facts, ours))
    found += _amount(facts, ours)
    if own:
        found += _refunds(facts, ours, now)
        found += _disputes(facts, ours)
    # Whatever differs already explains a different sum.
    if own and facts.intent and not found and facts.money != ours.clearing:
        booked = in_words(ours.clearing, facts.intent.currency)
        held = in_words(facts.money, facts.intent.currency)
        found.append(Difference(f"the clearing account has {booked} of it, Stripe {held}"))
    return found


def in_words(amount: int, currency: str) -> str:
    return f"{to_text(amount, currency) if currency in DECIMALS else amount} {currency}"


def _intent(facts: Facts, ours: Ours) -> Iterator[Difference]:
    intent, status = facts.intent, ours.payment.status
    if intent is None:
        return
    outcome = rules.outcome(intent.status)
    if not ours.intent_id:
        yield Difference("its intent is not written down", Mend.INTENT)
    elif outcome is Outcome.PAID and intent.id not in ours.captures:
        received = in_words(intent.received, intent.currency)
        yield Difference(f"{received} came in at Stripe", Mend.INTENT)
    elif outcome is Outcome.DEAD and status in OPEN:
        yield Difference("cancelled at Stripe, open here", Mend.INTENT)
    elif outcome is Outcome.DECIDING and status == Status.AWAITING:
        yield Difference("under way at Stripe", Mend.INTENT)
    elif status in GONE and rules.may_be_cancelled(intent.status):
        yield Difference(f"{status} here, open at Stripe", Mend.CANCEL)


def _stray(facts: Facts, ours: Ours) -> Iterator[Difference]:
    """A second intent of one payment: harmless until somebody pays it."""
    if facts.intent and facts.intent.received and facts.intent.id not in ours.captures:
        received = in_words(facts.intent.received, facts.intent.currency)
        yield Difference(f"{received} came in by a second intent of this payment")


def _amount(facts: Facts, ours: Ours) -> Iterator[Difference]:
    captured = ours.captures.get(facts.intent_id)
    if captured is None:
        return
    if facts.intent is None:
        yield Difference(f"{in_words(*captured)} captured here, unknown at Stripe")
    elif captured != (facts.intent.received, facts.intent.currency):
        received = in_words(facts.intent.received, facts.intent.currency)
        yield Difference(f"{in_words(*captured)} captured here, {received} at Stripe")


def _refunds(facts: Facts, ours: Ours, now: datetime) -> Iterator[Difference]:
    rows = {_name(row): row for row in ours.refunds}
    for refund in facts.refunds:
        row = rows.pop(refund.id, None) or rows.pop(refund.uid, None)
        yield from _refund(refund, row) if row else _foreign_refund(refund)
    for row in rows.values():
        yield from _missing_refund(row, now)


def _name(row: Refund) -> str:
    """Stripe's id of a refund, or ours where Stripe's is not written down."""
    sent = getattr(row, "stripe_refund", None)
    return sent.stripe_id if sent else str(row.uid)


def _foreign_refund(refund: ProviderRefund) -> Iterator[Difference]:
    if refund.status == "succeeded":
        text = f"refund {refund.id} was made at Stripe"
        yield Difference(text, Mend.REFUND, refund=refund)


def _refund(refund: ProviderRefund, row: Refund) -> Iterator[Difference]:
    name, went = f"refund {row.uid} ({refund.id})", refund.status == "succeeded"
    came_back = refund.status in rules.REFUND_FAILED
    if row.amount != refund.amount:
        here, there = (in_words(each.amount, row.currency) for each in (row, refund))
        yield Difference(f"{name}: {here} here, {there} at Stripe")
    elif row.status == RefundStatus.PENDING and (went or came_back):
        yield Difference(f"{name} has {refund.status} at Stripe", Mend.REFUND, refund=refund)
    elif row.status == RefundStatus.SUCCEEDED and row.destination == Destination.ORIGINAL:
        if came_back:
            yield Difference(f"{name} has come back to us", Mend.REFUND, refund=refund)
    elif went:
        how = "failed" if row.status == RefundStatus.FAILED else "in the wallet"
        yield Difference(f"{name} has gone out at Stripe and is {how} here")


def _missing_refund(row: Refund, now: datetime) -> Iterator[Difference]:
    name, sent = f"refund {row.uid}", hasattr(row, "stripe_refund")
    if row.destination == Destination.WALLET and not sent:
        return
    if row.status == RefundStatus.SUCCEEDED or (row.status == RefundStatus.PENDING and sent):
        yield Difference(f"{name} is {row.status} here, unknown at Stripe")
    elif row.status == RefundStatus.PENDING and row.created_at < now - UNSENT:
        yield Difference(f"{name} has not reached Stripe for over an hour")


def _disputes(facts: Facts, ours: Ours) -> Iterator[Difference]:
    rows = dict(ours.disputes)
    for dispute in facts.disputes:
        yield from _dispute(dispute, rows.pop(dispute.id, None))
    for row in rows.values():
        yield Difference(f"dispute {row.reference} is {row.status} here, unknown at Stripe")


def _dispute(dispute: ProviderDispute, row: Dispute | None) -> Iterator[Difference]:
    expected = _WRITTEN.get(rules.dispute_state(dispute.status))
    if expected is None:
        return
    if row is not None and row.amount != dispute.amount:
        here, there = (in_words(each.amount, row.currency) for each in (row, dispute))
        yield Difference(f"dispute {dispute.id}: {here} here, {there} at Stripe")
    elif row is None or (row.status == DisputeStatus.OPEN and row.status != expected):
        text = f"dispute {dispute.id} is {dispute.status} at Stripe"
        yield Difference(text, Mend.DISPUTE, dispute=dispute)
    elif row.status != expected:
        yield Difference(f"dispute {dispute.id} is {row.status} here, {dispute.status} at Stripe")

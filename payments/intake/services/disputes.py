"""Money that is taken back until it is decided: a cardholder complains, or a block is replaced."""

from common import clock
from common.audit.services import record as audit
from common.db import transactional
from payments.intake import locks, selectors
from payments.intake.models import Dispute, Payment
from payments.intake.rules import WITHHELD, DisputeStatus, Reason, Status
from payments.intake.services import books
from payments.intake.services.moves import move, record


@transactional
def dispute_open(
    *,
    payment_id: int,
    reference: str,
    amount: int,
    reason: str,
    why: Reason = Reason.DISPUTED,
) -> bool:
    """The provider has taken `amount` back; True where it was not known yet.

    A payment that paid for something is in review until the outcome is known.
    """
    payment = locks.payment(payment_id).payment
    if Dispute.objects.filter(reference=reference).exists():
        return False
    dispute = Dispute.objects.create(
        payment=payment,
        reference=reference,
        currency=payment.currency,
        amount=amount,
        reason=reason[:60],
    )
    if payment.status == Status.SUCCEEDED:
        payment.reason = why
        move(payment, Status.REVIEW, reason=why)
    _tell(dispute, "dispute.open")
    record(payment, "disputed", amount=amount, once=f"dispute:{reference}")
    books.book_dispute(dispute)
    return True


@transactional
def dispute_close(*, reference: str, won: bool, unapplied: int = 0) -> bool:
    """The outcome: the money is back, or lost for good; False the second time.

    `unapplied`: what was lost of money that was on its way back, by refunds that the caller ends.
    """
    dispute, found = locks.dispute(reference)
    if dispute.status != DisputeStatus.OPEN:
        return False
    dispute.status = DisputeStatus.WON if won else DisputeStatus.LOST
    dispute.decided_at = clock.now()
    dispute.save(update_fields=["status", "decided_at"])
    _tell(dispute, f"dispute.{dispute.status}")
    record(found.payment, f"dispute_{dispute.status}", amount=dispute.amount)
    payment = found.payment
    if payment.status == Status.REVIEW and payment.reason not in WITHHELD:
        # It has bought nothing yet, so nothing that was bought with it is lost.
        unapplied = dispute.amount
    if won:
        books.book_dispute_won(dispute)
    else:
        books.book_dispute_lost(dispute, unapplied=unapplied)
    if _waits(payment):
        whole = _has_its_money(payment, unapplied)
        move(payment, Status.SUCCEEDED if whole else Status.REVERSED)
    elif payment.status == Status.REVIEW and not _is_anything_left(payment):
        move(payment, Status.REVERSED)
    return True


def _has_its_money(payment: Payment, unapplied: int) -> bool:
    """What was not taken back, and does not go back either, is what it needed."""
    away = selectors.sent_back(payment) - unapplied + selectors.lost(payment)
    return payment.captured - away >= payment.amount - selectors.forgiven(payment)


def _is_anything_left(payment: Payment) -> bool:
    return payment.captured - payment.refunded > selectors.lost(payment)


def _waits(payment: Payment) -> bool:
    """For this outcome: another dispute of the same payment may still be open."""
    disputed = payment.status == Status.REVIEW and payment.reason in WITHHELD
    still = Dispute.objects.filter(payment=payment, status=DisputeStatus.OPEN)
    return disputed and not still.exists()


def _tell(dispute: Dispute, action: str) -> None:
    audit(
        actor_id=None,
        action=action,
        target=f"payment:{dispute.payment.uid}",
        data={
            "dispute": dispute.reference,
            "amount": dispute.amount,
            "currency": dispute.currency,
            "reason": dispute.reason,
        },
    )

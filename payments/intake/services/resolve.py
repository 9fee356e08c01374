"""How staff end a review: take the money for what it was meant for, or give it back."""

from common.audit.services import record as audit
from common.db import transactional
from common.errors import InvalidTransition
from common.idempotency.services import bind
from payments.intake import locks, selectors
from payments.intake.errors import NotUsable
from payments.intake.locks import Locked
from payments.intake.models import Payment
from payments.intake.rules import BY_ITSELF, WITHHELD, Destination, Reason, Resolution, Status
from payments.intake.services import books
from payments.intake.services.moves import move, record
from payments.intake.services.refunds import refund_rest, surplus_to_wallet
from payments.intake.services.settle import why_not_usable


@transactional
def payment_resolve(
    *,
    payment_id: int,
    resolution: Resolution,
    note: str,
    actor_id: int,
    destination: Destination = Destination.ORIGINAL,
    to_address: str = "",
) -> Payment:
    """End a review. `accept` forgives what is missing and puts what is too much into the wallet.

    Raises InvalidTransition where the payment is not in review, or its dispute or refund has yet
    to end it, and NotUsable where the order has its money or its stock is gone.
    """
    found = locks.payment(payment_id)
    payment = found.payment
    bind(str(payment.uid), status=200)
    _check_open(payment, resolution)
    if resolution is Resolution.REFUND:
        refund_rest(
            found, destination=destination, to_address=to_address, reason=note, actor_id=actor_id
        )
    else:
        _accept(found, actor_id)
    audit(
        actor_id=actor_id,
        action=f"payment.{resolution}",
        target=f"payment:{payment.uid}",
        data={"why": payment.reason, "note": note},
    )
    return payment


@transactional
def payment_use_or_return(*, payment_id: int) -> bool:
    """End a review by itself: the money buys what it was for, else it goes back.

    False where there is no review that waits for this.
    """
    found = locks.payment(payment_id)
    if not _waits(found.payment):
        return False
    try:
        _accept(found, None)
    except NotUsable as refusal:
        refund_rest(found, reason=f"automatic: {refusal.extra['reason']}")
    return True


@transactional
def payment_return(*, payment_id: int) -> bool:
    """End a review by itself: all of it goes back. False where no review waits for this."""
    found = locks.payment(payment_id)
    if not _waits(found.payment):
        return False
    refund_rest(found, reason=f"automatic: {found.payment.reason}")
    return True


def _waits(payment: Payment) -> bool:
    waits = payment.status == Status.REVIEW and payment.reason in BY_ITSELF
    return waits and not payment.refund_pending


def _check_open(payment: Payment, resolution: Resolution) -> None:
    wanted = Status.SUCCEEDED if resolution is Resolution.ACCEPT else Status.REFUNDED
    if payment.status != Status.REVIEW:
        raise InvalidTransition("payment", payment.status, wanted)
    if payment.reason in WITHHELD:
        raise InvalidTransition("payment", payment.reason, wanted)
    if payment.refund_pending:
        raise InvalidTransition("payment", "being refunded", wanted)


def _accept(found: Locked, actor_id: int | None) -> None:
    payment = found.payment
    # Part of it may have gone back already, or been taken back.
    there = payment.captured - payment.refunded - selectors.withheld(payment)
    there = max(0, there)
    if there == 0 or payment.reason == Reason.WRONG_TOKEN:
        raise NotUsable(payment.reason)
    if refusal := why_not_usable(found):
        raise NotUsable(refusal)
    if there > payment.amount:
        surplus_to_wallet(found, amount=there - payment.amount)
    move(payment, Status.SUCCEEDED, actor_id=actor_id)
    short = max(0, payment.amount - there)
    if short:
        record(payment, "forgiven", amount=short, actor_id=actor_id)
    books.book_use(payment, amount=min(there, payment.amount), short=short)

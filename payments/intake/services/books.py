"""What the payment machine does, in the ledger's words.

    capture           clearing (or the wallet it is paid from) → sales | wallet | unapplied
    use               unapplied → sales | wallet, once late money turns out to be of use
    refund            refunds | unapplied | wallet → clearing | wallet
    dispute           clearing → disputed, then back, or to losses | unapplied

References are made of what may happen only once, so that a task that runs twice moves money once.
"""

from typing import Final

from accounts.ledger import rules as ledger
from accounts.ledger import selectors as ledger_reads
from accounts.ledger import services as books
from accounts.ledger.rules import AccountRef, Kind
from payments.intake.models import Dispute, Payment, Refund
from payments.intake.rules import Destination, Method, Source

_CLEARING: Final = {
    Method.STRIPE: Kind.STRIPE_CLEARING,
    Method.CRYPTO: Kind.CHAIN_CLEARING,
}


def book_capture(
    payment: Payment, *, amount: int, currency: str, reference: str, used: bool
) -> None:
    """Money has come in. Raises InsufficientFunds for a payment out of the wallet."""
    books.transfer_post(
        reference=f"capture:{payment.method}:{reference}",
        kind=_kind(payment) if used else "receipt",
        entries=ledger.move(
            amount,
            debit=_outside(payment, currency),
            credit=_goal(payment, currency) if used else ledger.house(Kind.UNAPPLIED, currency),
        ),
        about=_about(payment),
    )


def book_use(payment: Payment, *, amount: int, short: int = 0) -> None:
    """Unapplied money has bought what it was for; `short` of it is forgiven, a loss of ours."""
    unapplied = ledger.house(Kind.UNAPPLIED, payment.currency)
    losses = ledger.house(Kind.LOSSES, payment.currency)
    goal = _goal(payment, payment.currency)
    entries = [*ledger.move(amount, debit=unapplied, credit=goal)]
    if short:
        entries += ledger.move(short, debit=losses, credit=goal)
    books.transfer_post(
        reference=f"use:{payment.uid}",
        kind=_kind(payment),
        entries=entries,
        about=_about(payment),
    )


def hold_refund(refund: Refund) -> None:
    """A deposit's money is set aside while it is on its way back. Raises InsufficientFunds."""
    books.hold_place(
        reference=_refund(refund),
        account=_wallet(refund.payment, refund.currency),
        amount=refund.amount,
        about=_about(refund.payment),
    )


def book_refund(refund: Refund) -> None:
    """Money has gone back."""
    if refund.source == Source.WALLET:
        _book_refund_of_deposit(refund)
        return
    payment, unused = refund.payment, refund.source == Source.UNAPPLIED
    to_wallet = refund.destination == Destination.WALLET
    books.transfer_post(
        reference=_refund(refund),
        kind="refund",
        entries=ledger.move(
            refund.amount,
            debit=ledger.house(Kind.UNAPPLIED if unused else Kind.REFUNDS, refund.currency),
            credit=(_wallet if to_wallet else _outside)(payment, refund.currency),
        ),
        about=_about(payment),
    )


def _book_refund_of_deposit(refund: Refund) -> None:
    """From the hold; one made at the provider asked nobody, and a spent deposit is owed to us."""
    goal = _outside(refund.payment, refund.currency)
    held = ledger_reads.hold_by_reference(_refund(refund))
    if held is not None:
        books.hold_post(hold_id=held.pk, credit=goal, kind="refund")
        return
    books.debt_collect(
        reference=_refund(refund),
        account=_wallet(refund.payment, refund.currency),
        amount=refund.amount,
        credit=goal,
        kind="refund",
        about=_about(refund.payment),
    )


def release_refund(refund: Refund) -> None:
    """A refund that never went: a deposit's money is the customer's to spend again."""
    held = ledger_reads.hold_by_reference(_refund(refund))
    if held is not None:
        books.hold_void(hold_id=held.pk)


def book_refund_returned(refund: Refund) -> None:
    """The provider could not pay a refund out after all: the customer has it in the wallet."""
    books.transfer_post(
        reference=f"refund-returned:{refund.uid}",
        kind="refund",
        entries=ledger.move(
            refund.amount,
            debit=_outside(refund.payment, refund.currency),
            credit=_wallet(refund.payment, refund.currency),
        ),
        about=_about(refund.payment),
    )


def book_dispute(dispute: Dispute) -> None:
    """The provider has taken the money back; what is left of a deposit waits for the outcome."""
    clearing = _CLEARING[Method(dispute.payment.method)]
    _move_dispute(dispute, "opened", debit=Kind.DISPUTED, credit=clearing)
    if dispute.payment.order_id is None:
        books.hold_what_is_there(
            reference=_dispute(dispute),
            account=_wallet(dispute.payment, dispute.currency),
            amount=dispute.amount,
            about=_about(dispute.payment),
        )


def book_dispute_won(dispute: Dispute) -> None:
    _release_dispute(dispute)
    clearing = _CLEARING[Method(dispute.payment.method)]
    _move_dispute(dispute, "won", debit=clearing, credit=Kind.DISPUTED)


def book_dispute_lost(dispute: Dispute, *, unapplied: int) -> None:
    """A sale's money is lost; a deposit's is taken back from the wallet as far as it is there.

    `unapplied` of it had bought nothing and would have gone back: nobody loses that.
    """
    if unapplied:
        _move_dispute(
            dispute, "unapplied", debit=Kind.UNAPPLIED, credit=Kind.DISPUTED, amount=unapplied
        )
    _release_dispute(dispute)
    lost = dispute.amount - unapplied
    if not lost:
        return
    payment = dispute.payment
    if payment.order_id is not None:
        _move_dispute(dispute, "lost", debit=Kind.LOSSES, credit=Kind.DISPUTED, amount=lost)
        return
    books.debt_collect(
        reference=f"dispute-lost:{dispute.reference}",
        account=_wallet(payment, dispute.currency),
        amount=lost,
        credit=ledger.house(Kind.DISPUTED, dispute.currency),
        kind="dispute",
        about=_about(payment),
    )


def _release_dispute(dispute: Dispute) -> None:
    held = ledger_reads.hold_by_reference(_dispute(dispute))
    if held is not None:
        books.hold_void(hold_id=held.pk)


def _move_dispute(
    dispute: Dispute, step: str, *, debit: Kind, credit: Kind, amount: int | None = None
) -> None:
    books.transfer_post(
        reference=f"dispute-{step}:{dispute.reference}",
        kind="dispute",
        entries=ledger.move(
            dispute.amount if amount is None else amount,
            debit=ledger.house(debit, dispute.currency),
            credit=ledger.house(credit, dispute.currency),
        ),
        about=_about(dispute.payment),
    )


def _outside(payment: Payment, currency: str) -> AccountRef:
    """Where the payment's money comes from and goes back to."""
    if payment.method == Method.WALLET:
        return _wallet(payment, currency)
    return ledger.house(_CLEARING[Method(payment.method)], currency)


def _goal(payment: Payment, currency: str) -> AccountRef:
    if payment.order_id is None:
        return _wallet(payment, currency)
    return ledger.house(Kind.SALES, currency)


def _wallet(payment: Payment, currency: str) -> AccountRef:
    return ledger.customer(payment.user_id, currency)


def _kind(payment: Payment) -> str:
    return "deposit" if payment.order_id is None else "sale"


def _refund(refund: Refund) -> str:
    return f"refund:{refund.uid}"


def _dispute(dispute: Dispute) -> str:
    return f"dispute:{dispute.reference}"


def _about(payment: Payment) -> str:
    return f"order {payment.order.number}" if payment.order else "deposit"

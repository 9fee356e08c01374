"""Money back: reserved on the payment first, sent by a task, written down when it has gone.

Into the wallet it goes at once. What the provider cannot pay out ends there as well.
"""

from collections.abc import Mapping, Sequence

from common import clock
from common.audit.services import record as audit
from common.db import transactional
from common.errors import InvalidTransition
from common.idempotency.services import bind
from common.outbox.services import enqueue
from payments.intake import locks, ports, rules, selectors
from payments.intake.errors import (
    AddressInvalid,
    DestinationInvalid,
    RefundExceedsCaptured,
    RefundLinesInvalid,
)
from payments.intake.locks import Locked
from payments.intake.models import Payment, Refund, RefundLine
from payments.intake.rules import (
    WITHHELD,
    Destination,
    Method,
    Reason,
    RefundStatus,
    Source,
    Status,
)
from payments.intake.services import books
from payments.intake.services.moves import move, record, tell
from shop.orders import rules as order_rules
from shop.orders import services as orders
from shop.orders.models import Order
from shop.orders.rules import LineLeft, LineShare
from shop.orders.rules import Status as OrderStatus


@transactional
def refund_request(
    *,
    payment_id: int,
    amount: int | None,
    lines: Mapping[str, int],
    restock: bool,
    reason: str,
    actor_id: int | None,
    destination: Destination = Destination.ORIGINAL,
    to_address: str = "",
) -> Refund:
    """Reserve and send a refund: of `amount`, of `lines` ({slug: quantity}), or of all left.

    Coins go to `to_address`. Raises InvalidTransition where nothing was captured or a dispute is
    open, RefundExceedsCaptured, RefundLinesInvalid, DestinationInvalid, AddressInvalid,
    InsufficientFunds for a deposit that has been spent.
    """
    found = locks.payment(payment_id)
    payment = found.payment
    _check_refundable(payment, destination)
    _check_address(payment, destination, to_address)
    # Money in review has bought nothing: there are no lines to give back.
    line_left = selectors.lines_refundable(payment) if payment.status == Status.SUCCEEDED else []
    wanted = amount if amount is not None else _worth(payment, line_left, lines)
    _check_fits(payment, wanted)
    shares = _shares(line_left, wanted, lines)
    refund = Refund(
        payment=payment,
        currency=payment.currency,
        amount=wanted,
        source=_source(payment),
        destination=destination,
        to_address=to_address,
        restock=restock,
        reason=reason,
        actor_id=actor_id,
    )
    return _create(found, refund, shares)


def _source(payment: Payment) -> Source:
    return rules.source(payment.status, payment.reason, has_order=payment.order_id is not None)


def _check_refundable(payment: Payment, destination: Destination) -> None:
    if payment.status not in (Status.SUCCEEDED, Status.REVIEW):
        raise InvalidTransition("payment", payment.status, Status.REFUNDED)
    # The provider withholds the money; paying it back as well would pay twice.
    if payment.status == Status.REVIEW and payment.reason in WITHHELD:
        raise InvalidTransition("payment", payment.reason, Status.REFUNDED)
    bought = payment.order_id is not None or payment.status == Status.REVIEW
    if destination == Destination.WALLET and not bought:
        raise DestinationInvalid


def _check_address(payment: Payment, destination: Destination, address: str) -> None:
    """Coins are sent to an address that somebody named, and nothing else is."""
    wanted = payment.method == Method.CRYPTO and destination == Destination.ORIGINAL
    if wanted != bool(address):
        raise AddressInvalid(wanted=wanted)


def refund_back(found: Locked, *, amount: int, reason: str) -> Refund:
    """Send money back by itself that bought nothing: no order lines change."""
    destination, address = _way_back(found.payment)
    refund = Refund(
        payment=found.payment,
        currency=found.payment.currency,
        amount=amount,
        source=Source.UNAPPLIED,
        destination=destination,
        to_address=address,
        reason=reason,
    )
    return _create(found, refund, [])


def _way_back(payment: Payment) -> tuple[Destination, str]:
    address = ports.gateway(payment.method).returns_to(payment)
    return (Destination.WALLET, "") if address is None else (Destination.ORIGINAL, address)


def surplus_to_wallet(found: Locked, *, amount: int) -> None:
    """What a payment in review was paid too much is the customer's, in the wallet."""
    refund = Refund(
        payment=found.payment,
        currency=found.payment.currency,
        amount=amount,
        source=Source.UNAPPLIED,
        destination=Destination.WALLET,
        reason=f"automatic: {Reason.OVERPAID}",
    )
    _create(found, refund, [])


def refund_rest(
    found: Locked,
    *,
    reason: str,
    destination: Destination | None = None,
    to_address: str = "",
    actor_id: int | None = None,
) -> Refund | None:
    """Send all that is left of a payment in review back; None where nothing is left.

    Without a destination it goes where money of this payment goes by itself.
    """
    payment = found.payment
    if not _left(payment):
        return None
    if destination is None:
        destination, to_address = _way_back(payment)
    else:
        _check_address(payment, destination, to_address)
    refund = Refund(
        payment=payment,
        currency=payment.currency,
        amount=_left(payment),
        source=Source.UNAPPLIED,
        destination=destination,
        to_address=to_address,
        reason=reason,
        actor_id=actor_id,
    )
    return _create(found, refund, [])


def _left(payment: Payment) -> int:
    gone = payment.refunded + payment.refund_pending + selectors.withheld(payment)
    return max(0, payment.captured - gone)


def _check_fits(payment: Payment, wanted: int) -> None:
    if not 0 < wanted <= _left(payment):
        raise RefundExceedsCaptured(_left(payment), payment.currency)


def _worth(payment: Payment, left: Sequence[LineLeft], chosen: Mapping[str, int]) -> int:
    if not chosen:
        return _left(payment)
    _chosen_left(left, chosen)
    return order_rules.refund_amount(left, chosen)


def _shares(left: Sequence[LineLeft], amount: int, chosen: Mapping[str, int]) -> list[LineShare]:
    if not left and not chosen:  # a deposit, or money that bought nothing
        return []
    if amount > _chosen_left(left, chosen):
        raise RefundLinesInvalid("The amount is more than is left of the chosen lines.")
    return [s for s in order_rules.refund_shares(left, amount, chosen) if s.amount or s.quantity]


def _chosen_left(left: Sequence[LineLeft], chosen: Mapping[str, int]) -> int:
    by_slug = {line.slug: line for line in left}
    for slug, quantity in chosen.items():
        if slug not in by_slug or quantity > by_slug[slug].quantity:
            raise RefundLinesInvalid(f"The order has no {quantity} units of {slug} left.")
    return sum(line.amount for line in left if not chosen or line.slug in chosen)


def _create(found: Locked, refund: Refund, shares: Sequence[LineShare]) -> Refund:
    payment = found.payment
    refund.save()
    bind(str(refund.uid), status=201)
    RefundLine.objects.bulk_create(
        RefundLine(refund=refund, order_line_id=s.line_id, amount=s.amount, quantity=s.quantity)
        for s in shares
    )
    ports.gateway(payment.method).take(refund)
    payment.refund_pending += refund.amount
    payment.save(update_fields=["refund_pending"])
    _tell(refund, "refund.request", reason=refund.reason, restock=refund.restock)
    data = {"refund": str(refund.uid)}
    asked = record(payment, "refund_asked", amount=refund.amount, data=data)
    if _goes_to_wallet(refund):
        _settle(refund, found)
        return refund
    if refund.source == Source.WALLET:
        books.hold_refund(refund)
    enqueue(_task(payment), refund_id=refund.pk)
    tell(asked, after=rules.REFUND_NEWS_AFTER)
    return refund


def _goes_to_wallet(refund: Refund) -> bool:
    return refund.destination == Destination.WALLET or refund.payment.method == Method.WALLET


def _task(payment: Payment) -> str:
    task = ports.gateway(payment.method).refund_task
    if not task:
        raise RuntimeError(f"{payment.method} sends no refunds")
    return task


def _tell(refund: Refund, action: str, **more: object) -> None:
    audit(
        actor_id=refund.actor_id,
        action=action,
        target=f"payment:{refund.payment.uid}",
        data={
            "refund": str(refund.uid),
            "amount": refund.amount,
            "currency": refund.currency,
            "destination": refund.destination,
            **more,
        },
    )


@transactional
def refund_settle(*, refund_id: int, succeeded: bool, failure: str = "") -> bool:
    """Write down what the provider says became of a refund; True where it changed anything.

    One that fails after it had succeeded has come back to us: the customer has it in the wallet.
    """
    refund, found = locks.refund(refund_id)
    # One object: amounts are changed on the row that the lock has read.
    refund.payment = found.payment
    if refund.status == RefundStatus.SUCCEEDED and not succeeded:
        return _redirect(refund, failure)
    if refund.status != RefundStatus.PENDING:
        return False
    if not succeeded and _must_end(refund):
        refund.destination, refund.failure = Destination.WALLET, failure[:100]
        refund.save(update_fields=["destination"])
        succeeded = True
    if succeeded:
        _settle(refund, found)
    else:
        _fail(refund, found, failure)
    return True


def _must_end(refund: Refund) -> bool:
    """Too much for a payment that is done: no review waits for it, so the wallet takes it."""
    payment = refund.payment
    there = payment.captured - payment.refunded - selectors.lost(payment)
    done = refund.source == Source.UNAPPLIED and payment.status != Status.REVIEW
    return done and there >= refund.amount


def _decide(refund: Refund, status: RefundStatus) -> None:
    refund.status, refund.decided_at = status, clock.now()
    refund.save(update_fields=["status", "failure", "decided_at"])
    _tell(refund, f"refund.{status}")


def _settle(refund: Refund, found: Locked) -> None:
    payment = found.payment
    _decide(refund, RefundStatus.SUCCEEDED)
    payment.refund_pending -= refund.amount
    payment.refunded += refund.amount
    payment.save(update_fields=["refund_pending", "refunded"])
    tell(record(payment, "refunded", amount=refund.amount, once=f"refund:{refund.uid}"))
    if _is_all_back(payment) and rules.may_become(payment.status, Status.REFUNDED):
        move(payment, Status.REFUNDED)
        _let_expire(found.order)
    _refund_order(refund, found)
    books.book_refund(refund)


def _is_all_back(payment: Payment) -> bool:
    """All that was not lost before."""
    return payment.refunded >= payment.captured - selectors.lost(payment)


def _let_expire(order: Order | None) -> None:
    """An order that waited for a review of its money waits no more."""
    if order is not None and order.deadline_suspended and order.status == OrderStatus.PENDING:
        orders.order_suspend_deadline(order, suspended=False)


def _refund_order(refund: Refund, found: Locked) -> None:
    shares = [LineShare(r.order_line_id, r.amount, r.quantity) for r in refund.lines.all()]
    if found.order is not None and shares:
        orders.order_refund(
            found.order,
            shares,
            restock=refund.restock,
            actor_id=refund.actor_id,
            reason=refund.reason,
        )


@transactional
def refund_void(*, refund_id: int, failure: str, lost: int) -> bool:
    """End a pending refund whose money was taken back: `lost` of it is gone for good.

    The rest of what had bought nothing goes back anew. False where it is decided already.
    """
    refund, found = locks.refund(refund_id)
    refund.payment = found.payment
    if refund.status != RefundStatus.PENDING:
        return False
    _fail(refund, found, failure)
    rest = refund.amount - lost
    if rest and refund.source == Source.UNAPPLIED:
        again = Refund(
            payment=found.payment,
            currency=refund.currency,
            amount=rest,
            source=refund.source,
            destination=refund.destination,
            to_address=refund.to_address,
            reason=refund.reason,
            actor_id=refund.actor_id,
        )
        _create(found, again, [])
    return True


def _fail(refund: Refund, found: Locked, failure: str) -> None:
    refund.failure = failure[:100]
    _decide(refund, RefundStatus.FAILED)
    found.payment.refund_pending -= refund.amount
    found.payment.save(update_fields=["refund_pending"])
    record(found.payment, "refund_failed", amount=refund.amount, data={"failure": failure})
    books.release_refund(refund)


def _redirect(refund: Refund, failure: str) -> bool:
    if _goes_to_wallet(refund):
        return False
    refund.destination, refund.failure = Destination.WALLET, failure[:100]
    refund.save(update_fields=["destination", "failure"])
    _tell(refund, "refund.returned", failure=failure)
    data = {"refund": str(refund.uid), "failure": failure}
    tell(record(refund.payment, "refund_returned", amount=refund.amount, data=data))
    books.book_refund_returned(refund)
    return True


@transactional
def refund_record(*, payment_id: int, amount: int, reason: str) -> Refund:
    """A refund that was made at the provider without us: written down as it is.

    Raises RefundExceedsCaptured while it does not fit: a refund of ours is on its way.
    """
    found = locks.payment(payment_id)
    payment = found.payment
    _check_fits(payment, amount)
    left = selectors.lines_refundable(payment) if payment.status == Status.SUCCEEDED else []
    refund = Refund.objects.create(
        payment=payment,
        currency=payment.currency,
        amount=amount,
        source=_source(payment),
        reason=reason,
    )
    RefundLine.objects.bulk_create(
        RefundLine(refund=refund, order_line_id=s.line_id, amount=s.amount, quantity=s.quantity)
        for s in _shares(left, min(amount, sum(line.amount for line in left)), {})
    )
    payment.refund_pending += amount
    _settle(refund, found)
    return refund

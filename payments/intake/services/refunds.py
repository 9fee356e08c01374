"""Money back: reserved on the payment first, sent by a task, written down when it has gone."""

from collections.abc import Mapping, Sequence

from common import clock
from common.audit.services import record as audit
from common.db import transactional
from common.errors import InvalidTransition
from common.idempotency.services import bind
from common.outbox.services import enqueue
from payments.intake import locks, ports, selectors
from payments.intake.errors import RefundExceedsCaptured, RefundLinesInvalid
from payments.intake.locks import Locked
from payments.intake.models import Payment, Refund, RefundLine
from payments.intake.rules import RefundStatus, Status
from payments.intake.services.moves import move, record
from shop.orders import rules as order_rules
from shop.orders import services as orders
from shop.orders.rules import LineLeft, LineShare


@transactional
def refund_request(
    *,
    payment_id: int,
    amount: int | None,
    lines: Mapping[str, int],
    restock: bool,
    reason: str,
    actor_id: int | None,
) -> Refund:
    """Reserve and send a refund: of `amount`, of `lines` ({slug: quantity}), or of all left.

    Raises InvalidTransition where nothing was captured, RefundExceedsCaptured,
    RefundLinesInvalid.
    """
    found = locks.payment(payment_id)
    payment = found.payment
    if payment.status not in (Status.SUCCEEDED, Status.REVIEW):
        raise InvalidTransition("payment", payment.status, Status.REFUNDED)
    # Money in review has bought nothing: there are no lines to give back.
    line_left = selectors.lines_refundable(payment) if payment.status == Status.SUCCEEDED else []
    wanted = amount if amount is not None else _worth(payment, line_left, lines)
    _check_fits(payment, wanted)
    shares = _shares(line_left, wanted, lines)
    return _create(found, wanted, shares, restock=restock, reason=reason, actor_id=actor_id)


def refund_back(found: Locked, *, amount: int, reason: str) -> Refund:
    """Send money back that bought nothing: no order lines change."""
    return _create(found, amount, [], restock=False, reason=reason, actor_id=None)


def _left(payment: Payment) -> int:
    return payment.captured - payment.refunded - payment.refund_pending


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


def _create(
    found: Locked,
    amount: int,
    shares: Sequence[LineShare],
    *,
    restock: bool,
    reason: str,
    actor_id: int | None,
) -> Refund:
    payment = found.payment
    refund = Refund.objects.create(
        payment=payment,
        currency=payment.currency,
        amount=amount,
        restock=restock,
        reason=reason,
        actor_id=actor_id,
    )
    bind(str(refund.uid), status=201)
    RefundLine.objects.bulk_create(
        RefundLine(refund=refund, order_line_id=s.line_id, amount=s.amount, quantity=s.quantity)
        for s in shares
    )
    payment.refund_pending += amount
    payment.save(update_fields=["refund_pending"])
    audit(
        actor_id=actor_id,
        action="refund.request",
        target=f"payment:{payment.uid}",
        data={
            "refund": str(refund.uid),
            "amount": amount,
            "currency": payment.currency,
            "reason": reason,
            "restock": restock,
        },
    )
    record(payment, "refund_asked", amount=amount, data={"refund": str(refund.uid)})
    enqueue(ports.gateway(payment.method).refund_task, refund_id=refund.pk)
    return refund


@transactional
def refund_settle(*, refund_id: int, succeeded: bool, failure: str = "") -> bool:
    """Write down what the provider says became of a refund; True where it changed anything."""
    refund, found = locks.refund(refund_id)
    if refund.status != RefundStatus.PENDING:
        return False
    found.payment.refund_pending -= refund.amount
    refund.status = RefundStatus.SUCCEEDED if succeeded else RefundStatus.FAILED
    refund.failure = failure[:100]
    refund.decided_at = clock.now()
    refund.save(update_fields=["status", "failure", "decided_at"])
    audit(
        actor_id=None,
        action=f"refund.{refund.status}",
        target=f"payment:{found.payment.uid}",
        data={
            "refund": str(refund.uid),
            "amount": refund.amount,
            "currency": refund.currency,
        },
    )
    if succeeded:
        _count(refund, found)
    else:
        found.payment.save(update_fields=["refund_pending"])
        record(found.payment, "refund_failed", amount=refund.amount, data={"failure": failure})
    return True


def _count(refund: Refund, found: Locked) -> None:
    payment = found.payment
    payment.refunded += refund.amount
    payment.save(update_fields=["refund_pending", "refunded"])
    record(payment, "refunded", amount=refund.amount, once=f"refund:{refund.uid}")
    if payment.refunded == payment.captured:
        move(payment, Status.REFUNDED)
    shares = [LineShare(r.order_line_id, r.amount, r.quantity) for r in refund.lines.all()]
    if found.order is not None and shares:
        orders.order_refund(
            found.order,
            shares,
            restock=refund.restock,
            actor_id=refund.actor_id,
            reason=refund.reason,
        )

"""What the coins at an invoice's address come to: one function decides, whoever noticed them.

All of it under the payment's lock, from what the chain was last seen to have; safe to repeat.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from django.conf import settings

from common import clock
from common.db import transactional
from common.money import DECIMALS, allocate
from payments.chain.rules import amounts
from payments.crypto import locks, rules, selectors
from payments.crypto.models import CoinRefund, Credit, Invoice
from payments.crypto.rules import Facts, Verdict
from payments.intake import locks as intake_locks
from payments.intake import services as machine
from payments.intake.models import Payment
from payments.intake.rules import GONE, OPEN, Reason, Source, Status
from payments.intake.services import Capture
from payments.market.errors import RateUnavailable
from payments.market.services import rate_for_checkout

# A transaction that a reorg took out comes back within minutes, if at all.
VANISHED: Final = timedelta(minutes=30)
# After that a payment that was settled and taken back is lost.
LOST: Final = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Case:
    """An invoice with everything that its decision needs; read under the payment's lock."""

    invoice: Invoice
    payment: Payment
    credits: list[Credit]
    head: int
    now: datetime
    rates: dict[str, Decimal]

    @property
    def right(self) -> list[Credit]:
        return [each for each in self.credits if each.token == self.invoice.token]

    def is_deep(self, credit: Credit) -> bool:
        depth = amounts.confirmations(self.head, credit.block_number)
        return credit.active and depth >= self.invoice.confirmations

    def fresh(self, credits: Sequence[Credit]) -> list[Credit]:
        return [each for each in credits if each.counted_at is None and self.is_deep(each)]

    def is_waiting(self) -> bool:
        """For counted coins that the chain took back and may have again."""
        return any(
            each.value and each.lost_at is not None and self.now - each.lost_at < LOST
            for each in self.credits
        )

    def coming(self) -> bool:
        """Of what came in time: who sends a little in each block would never be decided."""
        return any(
            each.active and each.counted_at is None and not self.is_deep(each)
            for each in self.right
            if each.seen_at <= self.payment.expires_at
        )

    def is_worth_a_cent(self) -> bool:
        """What is there of the invoice's token: less keeps neither a payment open nor its stock."""
        units = sum(each.amount for each in self.right if each.active)
        return rules.share(units, of=self.invoice.amount, value=self.payment.amount) > 0


def invoice_decide(*, payment_id: int) -> None:
    """Count what is deep enough, and do with it what `rules.verdict` says.

    Rates are asked for before the lock, where a decision may need them.
    """
    invoice = selectors.invoice_get(payment_id)
    _decide(payment_id=payment_id, rates=_rates(invoice))


def _rates(invoice: Invoice) -> dict[str, Decimal]:
    """Today's rates of the tokens that came and are not counted, as far as they can be trusted."""
    found = {}
    uncounted = invoice.credits.filter(active=True, counted_at=None)
    tokens = {*uncounted.values_list("token", flat=True)}
    on_time = invoice.payment.status in OPEN and clock.now() < invoice.payment.expires_at
    for token in tokens - ({invoice.token} if on_time else set()):
        try:
            found[token] = rate_for_checkout(token=token).rate
        except RateUnavailable:
            continue
    return found


@transactional
def _decide(*, payment_id: int, rates: dict[str, Decimal]) -> None:
    locked = intake_locks.payment(payment_id)
    invoice = locks.invoice(payment_id)
    scan = selectors.scan()
    case = Case(
        invoice=invoice,
        payment=locked.payment,
        credits=locks.credits(payment_id),
        head=scan.number if scan else 0,
        now=clock.now(),
        rates=rates,
    )
    _show_processing(case)
    if not _reorged(case):
        # First: the wrong token would end a payment that the right one has just made.
        _carry_out(case)
        case.payment.refresh_from_db()
        _return_wrong_tokens(case)
    _give_up_vanished(case)
    _close(case)


def _show_processing(case: Case) -> None:
    if case.payment.status == Status.AWAITING and case.is_worth_a_cent():
        machine.payment_mark_processing(payment_id=case.payment.pk)
        case.payment.refresh_from_db()


def _carry_out(case: Case) -> None:
    """The coins of the invoice's own token, together."""
    fresh = case.fresh(case.right)
    facts = _facts(case, fresh)
    found = rules.verdict(facts)
    if found is Verdict.WAIT:
        return
    if fresh:
        doubt = Reason.LATE if found is Verdict.RETURN and facts.status in OPEN else None
        value = _value(case, facts)
        if not value:
            return
        _count(case, fresh, value=value, doubt=doubt, late_ok=found is not Verdict.RETURN)
    if found is Verdict.TAKE:
        machine.payment_use_or_return(payment_id=case.payment.pk)
    elif found is Verdict.RETURN:
        machine.payment_return(payment_id=case.payment.pk)


def _facts(case: Case, fresh: Sequence[Credit]) -> Facts:
    counted = [each for each in case.right if each.counted_at is not None and each.active]
    fresh_units = sum(each.amount for each in fresh)
    counted_units = sum(each.amount for each in counted)
    payment = case.payment
    return Facts(
        status=Status(payment.status),
        reason=payment.reason,
        needed=case.invoice.amount,
        fresh=fresh_units,
        counted=counted_units,
        coming=case.coming(),
        late=any(each.seen_at > payment.expires_at for each in fresh),
        expired=case.now >= payment.expires_at,
        unwatched=case.now >= case.invoice.watched_until,
        worth=_worth(case, case.invoice.token, fresh_units + counted_units),
        least=rules.least(payment.amount, settings.CRYPTO_ACCEPT_PERCENT),
    )


def _worth(case: Case, token: str, units: int) -> int | None:
    rate = case.rates.get(token)
    if rate is None:
        return None
    return rules.worth(
        units,
        decimals=settings.PAYABLE_TOKENS[token]["decimals"],
        rate=rate,
        per_major=10 ** DECIMALS[case.payment.currency],
    )


def _value(case: Case, facts: Facts) -> int:
    """What the fresh coins are counted as, at the locked rate: in all never a cent too much."""
    price, needed = case.payment.amount, case.invoice.amount
    before = rules.share(facts.counted, of=needed, value=price)
    return rules.share(facts.counted + facts.fresh, of=needed, value=price) - before


def _return_wrong_tokens(case: Case) -> None:
    """Each at today's rate; what cannot be valued, or is worth no cent, waits.

    So does all of it while the right token may still make the payment.
    """
    if case.payment.status in OPEN and any(each.active for each in case.right):
        return
    for credit in case.fresh([c for c in case.credits if c.token != case.invoice.token]):
        value = _worth(case, credit.token, credit.amount)
        if value:
            _count(case, [credit], value=value, doubt=Reason.WRONG_TOKEN, late_ok=True)
            machine.payment_return(payment_id=case.payment.pk)
            case.payment.refresh_from_db()


def _count(
    case: Case, credits: Sequence[Credit], *, value: int, doubt: Reason | None, late_ok: bool
) -> None:
    first = credits[0]
    parts = allocate(value, [each.amount for each in credits])
    for credit, part in zip(credits, parts, strict=True):
        credit.value, credit.counted_at = part, case.now
        credit.save(update_fields=["value", "counted_at"])
    reference = f"{first.chain_id}:{first.tx_hash}:{first.ordinal}"
    machine.payment_settle(
        payment_id=case.payment.pk,
        capture=Capture(value, case.payment.currency, reference),
        doubt=doubt,
        late_ok=late_ok,
    )


def _reorged(case: Case) -> bool:
    """Money that was counted and that the chain took back; True while it may come again."""
    for credit in case.credits:
        if credit.active and credit.value:
            for reference in _taken_back(case, credit):
                machine.dispute_close(reference=reference, won=True)
        elif credit.value:
            _take_back(case, credit, credit.lost_at or case.now)
    case.payment.refresh_from_db()
    return case.is_waiting()


def _taken_back(case: Case, credit: Credit) -> list[str]:
    found = case.payment.disputes.filter(reference__startswith=f"reorg:{credit.pk}:")
    return list(found.filter(decided_at=None).values_list("reference", flat=True))


def _take_back(case: Case, credit: Credit, lost_at: datetime) -> None:
    # A transaction may be taken out more than once.
    reference = f"reorg:{credit.pk}:{lost_at:%Y%m%d%H%M%S%f}"
    machine.dispute_open(
        payment_id=case.payment.pk,
        reference=reference,
        amount=credit.value or 0,
        reason="reorg",
        why=Reason.REORGED,
    )
    if case.now - lost_at >= LOST:
        _lose(credit, reference)


def _lose(credit: Credit, reference: str) -> None:
    """For good: refunds that would have sent these coins end, and what else they had goes anew."""
    shares = locks.unsent_shares(credit.pk)
    unapplied = sum(s.value for s in shares if s.refund.source == Source.UNAPPLIED)
    if not machine.dispute_close(reference=reference, won=False, unapplied=unapplied):
        return
    for share in shares:
        CoinRefund.objects.filter(refund=share.refund_id).update(failed=True)
        machine.refund_void(
            refund_id=share.refund_id, failure="the chain took the coins back", lost=share.value
        )


def _give_up_vanished(case: Case) -> None:
    """A payment that was on its way and is on the chain no more fails when its time is over."""
    case.payment.refresh_from_db()
    if case.payment.status != Status.PROCESSING or case.is_worth_a_cent():
        return
    if case.now >= case.payment.expires_at + VANISHED:
        error = {"code": "reorged", "message": "The chain no longer has the transaction."}
        machine.payment_mark_failed(payment_id=case.payment.pk, error=error)


def _close(case: Case) -> None:
    """Looked at again while something waits for a block, a rate, a deadline, or the buyer."""
    payment, invoice = case.payment, case.invoice
    payment.refresh_from_db()
    waits = payment.status == Status.PROCESSING or (
        payment.status == Status.REVIEW and payment.reason in (Reason.UNDERPAID, Reason.REORGED)
    )
    invoice.open = waits or case.is_waiting() or _is_undecided(case)
    invoice.save(update_fields=["open"])


def _is_undecided(case: Case) -> bool:
    """Coins are there that are not deep yet, or are worth something, or may be joined by more."""
    left = [each for each in case.credits if each.active and each.counted_at is None]
    may_grow = case.payment.status in {*OPEN, *GONE, Status.REVIEW}
    if left and may_grow and case.now < case.invoice.watched_until:
        return True
    return any(not case.is_deep(each) or _is_worth_something(case, each) for each in left)


def _is_worth_something(case: Case, credit: Credit) -> bool:
    """A cent at least, or what nobody can say while there is no rate."""
    if credit.token == case.invoice.token:
        return _value(case, _facts(case, case.fresh(case.right))) > 0
    return _worth(case, credit.token, credit.amount) != 0

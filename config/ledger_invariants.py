"""What must hold in the ledger, by itself and against the payments that wrote it."""

from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Final

from django.db.models import Count, F, Max, Q, QuerySet, Sum

from accounts.ledger.models import Account, Hold, Posting, Transfer
from accounts.ledger.rules import CREDIT, DEBIT, HoldStatus, Kind
from accounts.ledger.selectors import house_balances, sum_differences
from common.fields import sums
from payments.intake.models import Dispute, Payment, Refund
from payments.intake.rules import (
    WITHHELD,
    Destination,
    DisputeStatus,
    Method,
    RefundStatus,
    Source,
    Status,
)
from shop.orders.models import Order
from shop.orders.rules import BOUGHT


def transfers_sum_to_zero() -> Iterator[str]:
    rows = Posting.objects.order_by("transfer_id").values_list(
        "transfer_id", "currency", "side", "amount"
    )
    for transfer, postings in groupby(rows.iterator(), key=lambda row: row[0]):
        totals: dict[str, int] = {}
        for _, currency, side, amount in postings:
            totals[currency] = totals.get(currency, 0) + (amount if side == DEBIT else -amount)
        if any(totals.values()):
            yield f"1 transfer {transfer}: {totals} instead of zero"


def transfers_have_postings() -> Iterator[str]:
    lonely = Transfer.objects.annotate(n=Count("postings")).filter(n__lt=2)
    for transfer in lonely:
        yield f"1 transfer {transfer.pk}: fewer than two postings"


def postings_are_in_their_accounts_currency() -> Iterator[str]:
    for posting in Posting.objects.exclude(currency=F("account__currency")):
        yield f"1 posting {posting.pk}: not in its account's currency"


def balances_are_sums_of_postings() -> Iterator[str]:
    owned = Posting.objects.filter(account__owner__isnull=False)
    sides = sums(owned, "account_id", "side")
    last = dict(owned.values_list("account_id").annotate(last=Max("pk")).order_by())
    running = dict(Posting.objects.filter(pk__in=last.values()).values_list("account", "balance"))
    for account in Account.objects.filter(kind=Kind.CUSTOMER).iterator():
        summed = sides.get((account.pk, CREDIT), 0) - sides.get((account.pk, DEBIT), 0)
        if not account.balance == summed == running.get(account.pk, 0):
            yield f"2 account {account.key}: {account.balance} cached, {summed} posted"


def held_is_the_sum_of_pending_holds() -> Iterator[str]:
    pending = sums(Hold.objects.filter(status=HoldStatus.PENDING), "account_id")
    for account in Account.objects.filter(kind=Kind.CUSTOMER).iterator():
        if account.held != pending.get(account.pk, 0):
            yield f"2 account {account.key}: held {account.held}, {pending.get(account.pk, 0)} due"


def carried_sums_are_sums_of_postings() -> Iterator[str]:
    """A transfer that was committed behind the mark, or a sum that was changed by hand."""
    for line in sum_differences():
        yield f"10 {line}"


def the_house_agrees_with_the_payments() -> Iterator[str]:
    found = house_balances()
    for currency in {currency for _, currency in found} | {"USD"}:
        for kind, expected in _expected(currency).items():
            posted = found.get((kind, currency), 0)
            if posted != expected:
                yield f"4 house:{kind}:{currency}: {posted} posted, {expected} expected"


def _expected(currency: str) -> dict[str, int]:
    """Debits less credits of the house's accounts, from what payments, orders and refunds say."""
    refunds = Refund.objects.filter(currency=currency, status=RefundStatus.SUCCEEDED)
    return {
        Kind.STRIPE_CLEARING: _outside(Method.STRIPE, currency, refunds),
        Kind.CHAIN_CLEARING: _outside(Method.CRYPTO, currency, refunds),
        Kind.SALES: -_total(Order.objects.filter(currency=currency, status__in=BOUGHT), "total"),
        Kind.REFUNDS: _total(refunds.filter(source=Source.SALE)),
        Kind.UNAPPLIED: -_unapplied(currency),
        Kind.DISPUTED: _total(_disputes(currency, DisputeStatus.OPEN)),
    }


def _outside(method: Method, currency: str, refunds: QuerySet[Refund]) -> int:
    payments = Payment.objects.filter(currency=currency, method=method)
    gone = refunds.filter(payment__method=method, destination=Destination.ORIGINAL)
    away = _disputes(currency, DisputeStatus.OPEN, DisputeStatus.LOST)
    away = away.filter(payment__method=method)
    return _total(payments, "captured") - _total(gone) - _total(away)


def _unapplied(currency: str) -> int:
    """Money in review, and what is on its way back from payments that have their money."""
    waits = Q(status=Status.REVIEW) & ~Q(reason__in=WITHHELD)
    review = Payment.objects.filter(waits, currency=currency)
    pending = Refund.objects.filter(
        currency=currency, status=RefundStatus.PENDING, source=Source.UNAPPLIED
    ).exclude(payment__in=review)
    lost = _disputes(currency, DisputeStatus.LOST).filter(payment__in=review)
    there = _total(review, "captured") - _total(review, "refunded") - _total(lost)
    return there + _total(pending)


def _disputes(currency: str, *statuses: DisputeStatus) -> QuerySet[Dispute]:
    return Dispute.objects.filter(currency=currency, status__in=statuses)


def _total(
    rows: QuerySet[Order] | QuerySet[Payment] | QuerySet[Refund] | QuerySet[Dispute],
    column: str = "amount",
) -> int:
    return rows.aggregate(n=Sum(column))["n"] or 0


CHECKS: Final[tuple[Callable[[], Iterator[str]], ...]] = (
    transfers_sum_to_zero,
    transfers_have_postings,
    postings_are_in_their_accounts_currency,
    balances_are_sums_of_postings,
    held_is_the_sum_of_pending_holds,
    the_house_agrees_with_the_payments,
    carried_sums_are_sums_of_postings,
)

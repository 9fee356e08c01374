"""Reads of invoices and of what the chain has credited to them."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from common.moments import moment_text
from payments.chain.rules import amounts, transactions
from payments.crypto.models import (
    CoinRefund,
    CoinRefundAttempt,
    Credit,
    CreditShare,
    Invoice,
    Scan,
)
from payments.crypto.rules import COIN, Seen
from payments.intake.models import Payment
from payments.intake.rules import RefundStatus
from payments.market.rules.prices import from_units


@dataclass(frozen=True, slots=True)
class Watched:
    """An address that coins may come to, and what it waits for."""

    invoice_id: int
    address: str
    token: str


def invoice(payment_id: int) -> Invoice | None:
    found = Invoice.objects.select_related("payment", "quote")
    return found.filter(pk=payment_id).first()


def invoice_get(payment_id: int) -> Invoice:
    return Invoice.objects.select_related("payment", "quote").get(pk=payment_id)


def scan() -> Scan | None:
    return Scan.objects.filter(chain_id=settings.CHAIN_ID).first()


def watched(addresses: Iterable[str] | None = None) -> list[Watched]:
    """Addresses that are still looked at, or those of `addresses` that are the shop's."""
    found = Invoice.objects.filter(chain_id=settings.CHAIN_ID)
    if addresses is None:
        found = found.filter(Q(watched_until__gt=Now()) | Q(open=True))
    else:
        found = found.filter(address__in=list(addresses))
    return [Watched(*row) for row in found.order_by("pk").values_list("pk", "address", "token")]


def undecided(limit: int) -> list[int]:
    """Payments with coins that no decision has been made about, by chance.

    In any fixed order so many that wait for their buyers would keep the others waiting for ever.
    """
    found = Invoice.objects.filter(open=True, chain_id=settings.CHAIN_ID).order_by("?")
    return list(found.values_list("pk", flat=True)[:limit])


def active(invoice_ids: Sequence[int]) -> dict[int, list[Credit]]:
    found: dict[int, list[Credit]] = defaultdict(list)
    rows = Credit.objects.filter(invoice_id__in=invoice_ids, active=True)
    for credit in rows.order_by("block_number", "pk"):
        found[credit.invoice_id].append(credit)
    return found


def credited(tx_hash: str) -> QuerySet[Credit]:
    return Credit.objects.filter(chain_id=settings.CHAIN_ID, tx_hash=tx_hash, active=True)


def seen(tx_hash: str) -> Seen:
    """By what was read of the chain so far."""
    return Seen.INCLUDED if credited(tx_hash).exists() else Seen.PENDING


def contract(token: str) -> str:
    """The token's contract on this chain; empty for the chain's own coin."""
    return str(settings.CHAIN_CONTRACTS.get(token, ""))


def is_taken(token: str) -> bool:
    """Whether this chain has it: its own coin, or a token whose contract is known."""
    return token == COIN or bool(contract(token))


def contracts() -> list[str]:
    return [contract for contract in settings.CHAIN_CONTRACTS.values() if contract]


def gone(invoice_id: int) -> dict[int, tuple[int, int]]:
    """Units and cents of each credit that refunds have taken; a failed one has taken nothing."""
    found: dict[int, tuple[int, int]] = {}
    shares = CreditShare.objects.filter(credit__invoice_id=invoice_id)
    for share in shares.exclude(refund__status=RefundStatus.FAILED):
        units, value = found.get(share.credit_id, (0, 0))
        found[share.credit_id] = units + share.units, value + share.value
    return found


def are_there(refund_id: int) -> bool:
    """The chain still has every credit that the refund takes from."""
    return not CreditShare.objects.filter(refund_id=refund_id, credit__active=False).exists()


def coin_refunds(refund_id: int) -> list[CoinRefund]:
    return list(CoinRefund.objects.filter(refund_id=refund_id).order_by("pk"))


def coin_refunds_under_way(limit: int) -> list[CoinRefund]:
    """Signed and not deep enough, those that the chain must take first."""
    found = CoinRefund.objects.filter(chain_id=settings.CHAIN_ID, done_at=None, failed=False)
    signed = found.exclude(nonce=None).select_related("refund")
    return list(signed.order_by("nonce", "pk")[:limit])


def attempts(coins: CoinRefund) -> list[CoinRefundAttempt]:
    """Those of its nonce, the newest last: a failed one before used another nonce up."""
    found = coins.attempts.order_by("pk")
    return [each for each in found if transactions.decode(each.raw).body.nonce == coins.nonce]


def promised(chain_id: int, sender: str, nonce: int) -> tuple[int, dict[str, int]]:
    """What signed transactions from a nonce on may take: wei with fees, and units by contract."""
    wei, tokens = 0, defaultdict[str, int](int)
    found = CoinRefund.objects.filter(chain_id=chain_id, sender=sender, nonce__gte=nonce)
    for coins in found.prefetch_related("attempts"):
        bodies = [transactions.decode(each.raw).body for each in coins.attempts.all()]
        wei += max(body.cost for body in bodies if body.nonce == coins.nonce)
        if coins.contract:
            tokens[coins.contract] += coins.amount
    return wei, tokens


def details(payments: Sequence[Payment]) -> dict[int, dict[str, Any]]:
    """What a client needs to pay each of them, by the payment's key; three queries for all."""
    keys = [payment.pk for payment in payments]
    invoices = Invoice.objects.filter(pk__in=keys).select_related("quote")
    credits, read = active(keys), scan()
    head = read.number if read else 0
    times = {payment.pk: payment.expires_at for payment in payments}
    return {
        each.pk: _detail(each, times[each.pk], credits.get(each.pk, []), head) for each in invoices
    }


def _detail(invoice: Invoice, until: Any, credits: Sequence[Credit], head: int) -> dict[str, Any]:
    right = [credit for credit in credits if credit.token == invoice.token]
    received = sum(credit.amount for credit in right)
    left = max(0, invoice.amount - received)
    return {
        "token": invoice.token,
        "chain_id": invoice.chain_id,
        "contract": invoice.contract or None,
        "address": invoice.address,
        "amount": amounts.to_text(invoice.amount, invoice.decimals),
        "amount_base_units": str(invoice.amount),
        "rate": format(from_units(invoice.quote.rate).normalize(), "f"),
        "source": invoice.quote.source,
        "quoted_at": moment_text(invoice.quote.quoted_at),
        "expires_at": moment_text(until),
        "watched_until": moment_text(invoice.watched_until),
        "confirmations_required": invoice.confirmations,
        "confirmations": min((_depth(each, head) for each in right), default=0),
        "received_base_units": str(received),
        "remaining_base_units": str(left),
        "payment_uri": amounts.payment_uri(
            address=invoice.address,
            # Of an underpaid one the link asks for the rest.
            amount=left or invoice.amount,
            chain_id=invoice.chain_id,
            token=invoice.contract or None,
        ),
        "refund_address": invoice.refund_address or None,
        "transactions": [_transfer(each, head) for each in credits],
    }


def _transfer(credit: Credit, head: int) -> dict[str, Any]:
    return {
        "tx_hash": credit.tx_hash,
        "token": credit.token,
        "amount_base_units": str(credit.amount),
        "confirmations": _depth(credit, head),
    }


def _depth(credit: Credit, head: int) -> int:
    return amounts.confirmations(head, credit.block_number)

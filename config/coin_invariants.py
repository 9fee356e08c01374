"""What must hold of coins: what the chain credited, what was counted, what was captured."""

from collections.abc import Callable, Iterator
from typing import Final

from django.db.models import F, Sum

from payments.crypto.models import Credit, Invoice
from payments.intake.models import Dispute, Payment
from payments.intake.rules import Method


def captured_is_what_was_counted() -> Iterator[str]:
    counted = Credit.objects.exclude(value=None).order_by().values_list("invoice_id")
    found = dict(counted.annotate(n=Sum("value")))
    paid = Payment.objects.filter(method=Method.CRYPTO).values_list("pk", "uid", "captured")
    for key, uid, captured in paid.iterator():
        if found.get(key, 0) != captured:
            yield f"4 payment {uid}: {captured} captured, {found.get(key, 0)} counted in coins"


def every_crypto_payment_has_its_invoice() -> Iterator[str]:
    lonely = Payment.objects.filter(method=Method.CRYPTO, invoice=None)
    for payment in lonely:
        yield f"4 payment {payment.uid}: in coins, without an invoice"


def what_the_chain_took_back_is_disputed() -> Iterator[str]:
    """Counted money that is no longer on the chain, once it was looked at."""
    gone = Credit.objects.filter(active=False, value__gt=0, invoice__open=False)
    for credit in gone:
        if not Dispute.objects.filter(reference__startswith=f"reorg:{credit.pk}:").exists():
            yield f"4 credit {credit}: counted, taken back by the chain, and nobody says so"


def credits_are_on_their_invoices_chain() -> Iterator[str]:
    strange = Invoice.objects.exclude(chain_id=F("credits__chain_id")).filter(credits__isnull=False)
    for invoice in strange:
        yield f"4 invoice {invoice.pk}: credited on another chain than it is for"


CHECKS: Final[tuple[Callable[[], Iterator[str]], ...]] = (
    captured_is_what_was_counted,
    every_crypto_payment_has_its_invoice,
    what_the_chain_took_back_is_disputed,
    credits_are_on_their_invoices_chain,
)

"""The only place that locks invoices' credits, the scan and the hot account."""

from payments.crypto.models import CoinRefund, Credit, CreditShare, HotAccount, Invoice, Scan
from payments.intake.rules import RefundStatus


def invoice(payment_id: int) -> Invoice:
    """Before its credits are read: a watcher that writes one more marks the invoice first.

    It waits here, or its mark would be wiped out by who has not seen that credit.
    """
    found = Invoice.objects.select_for_update(of=("self",)).select_related("payment", "quote")
    return found.get(pk=payment_id)


def credits(invoice_id: int) -> list[Credit]:
    """After the payment's lock: a scan that finds a reorg changes them without that lock."""
    found = Credit.objects.select_for_update().filter(invoice_id=invoice_id)
    return list(found.order_by("pk"))


def unsent_shares(credit_id: int) -> list[CreditShare]:
    """What refunds would take of a credit that have sent nothing; under the payment's lock.

    Whoever signs one locks its refund's coins first, and finds it ended.
    """
    found = CreditShare.objects.select_related("refund").filter(
        credit_id=credit_id, refund__status=RefundStatus.PENDING
    )
    return [
        share
        for share in found.order_by("pk")
        if all(coins.nonce is None for coins in coin_refunds(share.refund_id))
    ]


def scan(chain_id: int) -> Scan:
    """Two watchers read the same blocks; one of them writes what they found."""
    return Scan.objects.select_for_update().get(chain_id=chain_id)


def hot_account(chain_id: int, address: str) -> HotAccount:
    """Held while a nonce is given away, and never while the chain is asked."""
    HotAccount.objects.get_or_create(chain_id=chain_id, address=address)
    return HotAccount.objects.select_for_update().get(chain_id=chain_id, address=address)


def coin_refund(pk: int) -> CoinRefund:
    return CoinRefund.objects.select_for_update().get(pk=pk)


def coin_refunds(refund_id: int) -> list[CoinRefund]:
    """After the refund's lock, and before the hot account's."""
    found = CoinRefund.objects.select_for_update().filter(refund_id=refund_id)
    return list(found.order_by("pk"))

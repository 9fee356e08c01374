"""Invoices in coins, what came to them and what was sent back; to look at."""

from typing import Any, ClassVar

from django.contrib import admin

from common.admin.base import PartInline, ReadOnlyAdmin
from common.admin.display import link
from payments.chain.rules import amounts
from payments.crypto.models import CoinRefund, CoinRefundAttempt, Credit, Invoice, Scan


@admin.register(Invoice)
class InvoiceAdmin(ReadOnlyAdmin):
    list_display = ("address", "token", "shown_amount", "shown_payment", "open", "watched_until")
    list_filter: ClassVar[Any] = ("token", "open")
    list_select_related = ("payment",)
    search_fields = ("=address", "=payment__uid")
    ordering = ("-pk",)
    fields = (
        "shown_payment",
        "quote",
        "chain_id",
        "token",
        "contract",
        "address",
        "shown_amount",
        "confirmations",
        "refund_address",
        "watched_until",
        "open",
    )

    @admin.display(description="amount")
    def shown_amount(self, invoice: Invoice) -> str:
        return amounts.to_text(invoice.amount, invoice.decimals)

    @admin.display(description="payment")
    def shown_payment(self, invoice: Invoice) -> str:
        return link(invoice.payment)


@admin.register(Credit)
class CreditAdmin(ReadOnlyAdmin):
    list_display = ("tx_hash", "token", "shown_amount", "block_number", "active", "counted_at")
    list_filter: ClassVar[Any] = ("token", "active")
    list_select_related = ("invoice",)
    search_fields = ("=tx_hash", "=sender", "=invoice__address")
    ordering = ("-pk",)
    fields = (
        "invoice",
        "tx_hash",
        "ordinal",
        "token",
        "shown_amount",
        "sender",
        "block_number",
        "block_hash",
        "active",
        "seen_at",
        "lost_at",
        "value",
        "counted_at",
    )

    @admin.display(description="amount in base units")
    def shown_amount(self, credit: Credit) -> str:
        return str(credit.amount)


@admin.register(Scan)
class ScanAdmin(ReadOnlyAdmin):
    list_display = ("chain_id", "number", "read_at")
    ordering = ("chain_id",)
    fields = ("chain_id", "number", "hash", "read_at", "balances_at")


class AttemptInline(PartInline):
    model = CoinRefundAttempt
    verbose_name_plural = "attempts"
    fields = ("created_at", "tx_hash", "tip", "max_fee")
    ordering = ("pk",)


@admin.register(CoinRefund)
class CoinRefundAdmin(ReadOnlyAdmin):
    list_display = ("shown_refund", "token", "amount", "state", "nonce", "done_at")
    list_filter = ("token", "failed", "done_at")
    list_select_related = ("refund",)
    search_fields = ("=refund__uid", "=refund__payment__uid", "=to_address", "=attempts__tx_hash")
    ordering = ("-pk",)
    fields = (
        "shown_refund",
        "chain_id",
        "token",
        "contract",
        "amount",
        "to_address",
        "state",
        "sender",
        "nonce",
        "done_at",
    )
    inlines = (AttemptInline,)

    @admin.display(description="refund")
    def shown_refund(self, coins: CoinRefund) -> str:
        return link(coins.refund)

    @admin.display(description="state")
    def state(self, coins: CoinRefund) -> str:
        if coins.failed:
            return "failed"
        if coins.done_at:
            return "there"
        return "on its way" if coins.nonce is not None else "waits to be signed"

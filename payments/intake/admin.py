"""Payments and refunds in the admin; money goes back only through `refund_request`."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from common.admin.base import PartInline, ReadOnlyAdmin
from common.admin.display import amount, link, pretty, some
from payments.intake.forms import RefundForm, ResolveForm
from payments.intake.models import Dispute, Payment, PaymentEvent, Refund, RefundLine


class PaymentEventInline(PartInline):
    model = PaymentEvent
    verbose_name_plural = "events"
    fields = ("created_at", "kind", "shown_amount", "once", "shown_data", "actor")
    ordering = ("pk",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[PaymentEvent]:
        return super().get_queryset(request).select_related("actor")

    @admin.display(description="amount")
    def shown_amount(self, event: PaymentEvent) -> str:
        return some(event.amount, event.currency)

    @admin.display(description="data")
    def shown_data(self, event: PaymentEvent) -> str:
        return pretty(event.data)


class DisputeInline(PartInline):
    model = Dispute
    fields = ("reference", "status", "shown_amount", "reason", "opened_at", "decided_at")
    ordering = ("pk",)

    @admin.display(description="amount")
    def shown_amount(self, dispute: Dispute) -> str:
        return amount(dispute.amount, dispute.currency)


class RefundInline(PartInline):
    model = Refund
    fields = ("shown_refund", "status", "shown_amount", "restock", "reason", "failure", "actor")
    ordering = ("pk",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Refund]:
        return super().get_queryset(request).select_related("actor")

    @admin.display(description="refund")
    def shown_refund(self, refund: Refund) -> str:
        return link(refund)

    @admin.display(description="amount")
    def shown_amount(self, refund: Refund) -> str:
        return amount(refund.amount, refund.currency)


@admin.register(Payment)
class PaymentAdmin(ReadOnlyAdmin):
    forms = (ResolveForm, RefundForm)
    list_display = (
        "short_uid",
        "shown_order",
        "user",
        "method",
        "state",
        "shown_amount",
        "shown_refunded",
        "created_at",
    )
    list_filter = ("status", "method", "reason", "created_at")
    list_select_related = ("order", "user")
    date_hierarchy = "created_at"
    linked_by = ("events__kind__exact", "order__paid_at__gte", "order__paid_at__lt")
    search_fields = ("=uid", "order__number", "user__email", "user__username")
    ordering = ("-pk",)
    fields = (
        "uid",
        "shown_order",
        "shown_user",
        "method",
        "status",
        "reason",
        "shown_amount",
        "shown_captured",
        "shown_refunded",
        "shown_pending",
        "shown_error",
        "created_at",
        "expires_at",
    )
    inlines = (RefundInline, DisputeInline, PaymentEventInline)

    @admin.display(description="payment")
    def short_uid(self, payment: Payment) -> str:
        return f"{str(payment.uid)[:8]}…"

    @admin.display(description="status", ordering="status")
    def state(self, payment: Payment) -> str:
        return f"{payment.status}: {payment.reason}" if payment.reason else payment.status

    @admin.display(description="order", ordering="order__number")
    def shown_order(self, payment: Payment) -> str:
        return link(payment.order)

    @admin.display(description="customer")
    def shown_user(self, payment: Payment) -> str:
        return link(payment.user, payment.user.email)

    @admin.display(description="amount", ordering="amount")
    def shown_amount(self, payment: Payment) -> str:
        return amount(payment.amount, payment.currency)

    @admin.display(description="captured", ordering="captured")
    def shown_captured(self, payment: Payment) -> str:
        return amount(payment.captured, payment.currency)

    @admin.display(description="refunded", ordering="refunded")
    def shown_refunded(self, payment: Payment) -> str:
        return some(payment.refunded, payment.currency)

    @admin.display(description="refunds under way")
    def shown_pending(self, payment: Payment) -> str:
        return some(payment.refund_pending, payment.currency)

    @admin.display(description="last error")
    def shown_error(self, payment: Payment) -> str:
        return pretty(payment.last_error)


class RefundLineInline(PartInline):
    model = RefundLine
    verbose_name_plural = "lines"
    fields = ("product", "quantity", "shown_amount")
    ordering = ("pk",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[RefundLine]:
        return super().get_queryset(request).select_related("refund", "order_line__product")

    @admin.display(description="product")
    def product(self, line: RefundLine) -> str:
        return link(line.order_line.product, line.order_line.name)

    @admin.display(description="amount")
    def shown_amount(self, line: RefundLine) -> str:
        return amount(line.amount, line.refund.currency)


@admin.register(Refund)
class RefundAdmin(ReadOnlyAdmin):
    list_display = (
        "short_uid",
        "shown_order",
        "status",
        "shown_amount",
        "restock",
        "reason",
        "actor",
        "created_at",
    )
    linked_by = ("payment__method__exact",)
    list_filter = ("status", "restock", "destination", "created_at")
    list_select_related = ("payment__order", "actor")
    date_hierarchy = "created_at"
    search_fields = ("=uid", "=payment__uid", "payment__order__number", "reason")
    ordering = ("-pk",)
    fields = (
        "uid",
        "shown_payment",
        "shown_order",
        "status",
        "shown_amount",
        "restock",
        "destination",
        "to_address",
        "reason",
        "failure",
        "actor",
        "created_at",
        "decided_at",
    )
    inlines = (RefundLineInline,)

    @admin.display(description="refund")
    def short_uid(self, refund: Refund) -> str:
        return f"{str(refund.uid)[:8]}…"

    @admin.display(description="payment")
    def shown_payment(self, refund: Refund) -> str:
        return link(refund.payment)

    @admin.display(description="order", ordering="payment__order__number")
    def shown_order(self, refund: Refund) -> str:
        return link(refund.payment.order)

    @admin.display(description="amount", ordering="amount")
    def shown_amount(self, refund: Refund) -> str:
        return amount(refund.amount, refund.currency)

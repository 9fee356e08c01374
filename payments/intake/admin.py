"""Payments and refunds in the admin; money goes back only through `refund_request`."""

from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from common import money
from common.admin.base import PartInline, ReadOnlyAdmin
from common.admin.display import amount, link, pretty, some
from common.admin.forms import ServiceForm
from payments.intake import selectors, services
from payments.intake.models import Payment, PaymentEvent, Refund, RefundLine
from payments.intake.rules import Status
from shop.orders import rules as order_rules
from shop.orders.rules import LineLeft


class RefundForm(ServiceForm):
    """An amount, units of lines, or neither: all that is left."""

    name = "refund"
    label = "Refund"

    amount = forms.DecimalField(
        required=False,
        min_value=Decimal("0.01"),
        max_digits=14,
        decimal_places=2,
        help_text="Empty: what the units chosen below cost, or all that is left.",
    )
    restock = forms.BooleanField(required=False, label="Put the returned units back on the shelf")
    reason = forms.CharField(max_length=200)

    def __init__(self, data: Any = None, *, row: Payment) -> None:
        super().__init__(data, row=row)
        self.left = row.captured - row.refunded - row.refund_pending
        # Money in review has bought nothing: there are no lines to give back.
        self.lines = selectors.lines_refundable(row) if row.status == Status.SUCCEEDED else []
        units = {f"line_{x.line_id}": self._units(x) for x in self.lines if x.quantity}
        self.fields.update(units)
        self.order_fields(["once", "amount", *units])

    def _units(self, line: LineLeft) -> forms.IntegerField:
        left = amount(line.amount, self.row.currency)
        return forms.IntegerField(
            label=line.slug,
            required=False,
            min_value=0,
            max_value=line.quantity,
            help_text=f"Units to refund; {line.quantity} worth {left} left.",
        )

    @classmethod
    def fits(cls, row: Payment) -> bool:
        left = row.captured - row.refunded - row.refund_pending
        return left > 0 and row.status in (Status.SUCCEEDED, Status.REVIEW)

    def facts(self) -> list[tuple[str, Any]]:
        payment = self.row
        return [
            ("Payment", f"{payment.uid} ({payment.method}, {payment.status})"),
            ("Order", payment.order or "none: a deposit"),
            ("Customer", payment.user.email),
            ("Captured", amount(payment.captured, payment.currency)),
            ("Refunded or on its way back", amount(payment.captured - self.left, payment.currency)),
            ("Left to refund", amount(self.left, payment.currency)),
        ]

    def clean(self) -> dict[str, Any]:
        if not self.errors:
            wanted = self._wanted()
            if not 0 < wanted <= self.left:
                left = amount(self.left, self.row.currency)
                self.add_error("amount", f"{left} is left to refund.")
            elif self.lines and wanted > self._worth_of_lines():
                self.add_error("amount", "This is more than is left of the chosen lines.")
        return self.cleaned_data

    def _chosen(self) -> dict[str, int]:
        units = {x.slug: self.cleaned_data.get(f"line_{x.line_id}") for x in self.lines}
        return {slug: count for slug, count in units.items() if count}

    def _typed(self) -> int | None:
        typed = self.cleaned_data.get("amount")
        return None if typed is None else money.to_minor(typed, self.row.currency)

    def _wanted(self) -> int:
        typed, chosen = self._typed(), self._chosen()
        if typed is not None:
            return typed
        return order_rules.refund_amount(self.lines, chosen) if chosen else self.left

    def _worth_of_lines(self) -> int:
        chosen = self._chosen()
        return sum(x.amount for x in self.lines if not chosen or x.slug in chosen)

    def outcome(self) -> list[str]:
        currency, wanted = self.row.currency, self._wanted()
        return [
            f"{amount(wanted, currency)} goes back to {self.row.user.email} by {self.row.method}; "
            f"{amount(self.left - wanted, currency)} is left to refund after that.",
            *self._shares(wanted),
            f"Reason: {self.cleaned_data['reason']}",
            "Money that has gone back cannot be called in again.",
        ]

    def _shares(self, wanted: int) -> list[str]:
        if not self.lines:
            return ["It bought nothing: no order changes."]
        slugs = {line.line_id: line.slug for line in self.lines}
        shelf = "back on the shelf" if self.cleaned_data["restock"] else "returned, not restocked"
        return [
            f"{slugs[share.line_id]}: {amount(share.amount, self.row.currency)}, "
            + (f"units {shelf}: {share.quantity}." if share.quantity else "no units.")
            for share in order_rules.refund_shares(self.lines, wanted, self._chosen())
            if share.amount or share.quantity
        ]

    def run(self, actor_id: int) -> str:
        refund = services.refund_request(
            payment_id=self.row.pk,
            amount=self._typed(),
            lines=self._chosen(),
            restock=self.cleaned_data["restock"],
            reason=self.cleaned_data["reason"],
            actor_id=actor_id,
        )
        return f"{amount(refund.amount, refund.currency)} is on its way back."


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
    forms = (RefundForm,)
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
    inlines = (RefundInline, PaymentEventInline)

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

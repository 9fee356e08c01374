"""Flash sales in the admin: to look at, to plan another run of, and to end."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest

from common.admin.base import Newest, PartInline, ReadOnlyAdmin
from common.admin.display import EMPTY, amount, link
from common.admin.forms import ServiceForm
from shop.flash_sales import rules, services
from shop.flash_sales.models import FlashPurchase, FlashRun, FlashSale
from shop.flash_sales.rules import UnitState
from shop.flash_sales.services import Plan
from shop.flash_sales.waiting.rules import MAX_RATE


class ScheduleForm(ServiceForm):
    name = "schedule"
    label = "Plan a run"

    allocation = forms.IntegerField(min_value=1, max_value=rules.MAX_ALLOCATION)
    starts_at = forms.DateTimeField(help_text="UTC, for example 2030-01-31 18:00.")
    ends_at = forms.DateTimeField(required=False, help_text="Empty: until all units are paid for.")

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        start, end = data.get("starts_at"), data.get("ends_at")
        if start and end and end <= start:
            raise ValidationError({"ends_at": "A run ends after it has started."})
        return data

    def outcome(self) -> list[str]:
        data = self.cleaned_data
        return [
            f"{data['allocation']} units of {self.row.product} leave the stock for the run now.",
            f"It starts at {data['starts_at']:%Y-%m-%d %H:%M} UTC at the sale's terms of today.",
        ]

    def run(self, actor_id: int) -> str:
        data = self.cleaned_data
        plan = Plan(data["allocation"], data["starts_at"], data["ends_at"])
        run = services.run_schedule(sale_id=self.row.pk, plan=plan, actor_id=actor_id)
        return f"Run {run.number} of {self.row} is planned."


class EndForm(ServiceForm):
    name = "end"
    label = "End the run"

    @classmethod
    def fits(cls, row: FlashSale) -> bool:
        return row.runs.filter(ended_at=None).exists()

    def outcome(self) -> list[str]:
        return [
            "The open run, or else the next one, ends now; this cannot be undone.",
            "Its free units go back to the stock, held ones as soon as their orders end.",
        ]

    def run(self, actor_id: int) -> str:
        run = services.sale_end(sale_id=self.row.pk, actor_id=actor_id)
        return f"Run {run.number} of {self.row} has ended."


class WaitingForm(ServiceForm):
    name = "waiting"
    label = "Waiting room"

    admission_rate = forms.IntegerField(
        min_value=1,
        max_value=MAX_RATE,
        required=False,
        help_text="Buyers admitted in a second. Empty: no waiting room.",
    )

    def outcome(self) -> list[str]:
        rate = self.cleaned_data["admission_rate"]
        if rate is None:
            return ["Whoever waits may buy at once, as may everybody else."]
        return [f"From now on {rate} buyers a second are let in, in the order in which they came."]

    def run(self, actor_id: int) -> str:
        changes = {"admission_rate": self.cleaned_data["admission_rate"]}
        services.sale_patch(sale_id=self.row.pk, changes=changes, actor_id=actor_id)
        return f"The waiting room of {self.row} is changed."


class RunInline(PartInline):
    model = FlashRun
    fields = ("shown_run", "shown_price", "allocation", "starts_at", "ends_at", "ended_at", "end")
    ordering = ("-number",)
    formset = Newest

    @admin.display(description="run")
    def shown_run(self, run: FlashRun) -> str:
        return link(run, f"Run {run.number}")

    @admin.display(description="price")
    def shown_price(self, run: FlashRun) -> str:
        return amount(run.price, "USD")


@admin.register(FlashSale)
class FlashSaleAdmin(ReadOnlyAdmin):
    forms = (ScheduleForm, WaitingForm, EndForm)
    inlines = (RunInline,)
    list_display = ("slug", "shown_product", "shown_price", "per_order_limit", "per_user_limit")
    list_select_related = ("product",)
    search_fields = ("slug", "product__name")
    fields = (
        "slug",
        "shown_product",
        "shown_price",
        "condition_name",
        "condition_description",
        "per_order_limit",
        "per_user_limit",
        "admission_rate",
        "created_at",
    )

    @admin.display(description="product")
    def shown_product(self, sale: FlashSale) -> str:
        return link(sale.product)

    @admin.display(description="price", ordering="price")
    def shown_price(self, sale: FlashSale) -> str:
        return amount(sale.price, sale.product.currency)


class PurchaseInline(PartInline):
    model = FlashPurchase
    fields = ("position", "shown_order", "quantity", "state", "paid_at")
    ordering = ("-pk",)
    formset = Newest

    def get_queryset(self, request: HttpRequest) -> QuerySet[FlashPurchase]:
        return super().get_queryset(request).select_related("order")

    @admin.display(description="order")
    def shown_order(self, purchase: FlashPurchase) -> str:
        return link(purchase.order)


@admin.register(FlashRun)
class FlashRunAdmin(ReadOnlyAdmin):
    inlines = (PurchaseInline,)
    list_display = ("shown_sale", "number", "starts_at", "ended_at", "end", "allocation", "units")
    list_filter: ClassVar[Any] = ("end",)
    search_fields = ("sale__slug",)
    list_select_related = ("sale",)
    fields = (
        "shown_sale",
        "number",
        "shown_price",
        "allocation",
        "units",
        "per_order_limit",
        "per_user_limit",
        "starts_at",
        "ends_at",
        "ended_at",
        "end",
    )
    ordering = ("-starts_at",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[FlashRun]:
        states = {f"n_{s.value}": Count("units", filter=Q(units__state=s)) for s in UnitState}
        runs: QuerySet[FlashRun] = super().get_queryset(request).annotate(**states)
        return runs

    @admin.display(description="sale")
    def shown_sale(self, run: FlashRun) -> str:
        return link(run.sale)

    @admin.display(description="price")
    def shown_price(self, run: FlashRun) -> str:
        return amount(run.price, "USD")

    @admin.display(description="units")
    def units(self, run: FlashRun) -> str:
        parts = ((s.value, getattr(run, f"n_{s.value}", 0)) for s in UnitState)
        return ", ".join(f"{count} {name}" for name, count in parts if count) or EMPTY

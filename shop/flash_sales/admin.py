"""Flash sales in the admin: made, changed, held again and ended through the services."""

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest

from common.admin.base import Newest, PartInline, ReadOnlyAdmin
from common.admin.display import EMPTY, amount, link
from shop.flash_sales.forms import ChangeForm, CreateForm, EndForm, ReplanForm, ScheduleForm
from shop.flash_sales.models import FlashPurchase, FlashRun, FlashSale
from shop.flash_sales.rules import UnitState


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
    forms = (ScheduleForm, ReplanForm, ChangeForm, EndForm)
    add_form = CreateForm
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

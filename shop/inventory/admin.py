"""Stock and its movements in the admin; units change only through `stock_adjust`."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html

from common.admin.base import Newest, PartInline, ReadOnlyAdmin
from common.admin.display import link
from common.admin.forms import ServiceForm
from shop.inventory import services
from shop.inventory.models import Stock, StockHold, StockMovement
from shop.inventory.serializers import MAX_UNITS


class AdjustForm(ServiceForm):
    """Either a change or a counted number, like the API's."""

    name = "adjust"
    label = "Adjust stock"

    delta = forms.IntegerField(
        label="Change by",
        required=False,
        min_value=-MAX_UNITS,
        max_value=MAX_UNITS,
        help_text="Units received (12) or written off (-3).",
    )
    counted = forms.IntegerField(
        label="Or set to",
        required=False,
        min_value=0,
        max_value=MAX_UNITS,
        help_text="Units on hand after a count, held ones included.",
    )
    reason = forms.CharField(max_length=200)

    def facts(self) -> list[tuple[str, Any]]:
        stock = self.row
        return [
            ("Product", stock.product),
            ("On hand", stock.on_hand),
            ("Held for open orders", stock.held),
            ("Available", stock.available),
        ]

    def clean(self) -> dict[str, Any]:
        data = self.cleaned_data
        if self.errors:
            return data
        if (data["delta"] is None) == (data["counted"] is None):
            raise ValidationError("Give either a change or a counted number.", "delta_or_set")
        if data["delta"] == 0:
            self.add_error("delta", "Zero changes nothing.")
        return data

    def outcome(self) -> list[str]:
        data, on_hand = self.cleaned_data, self.row.on_hand
        after = data["counted"] if data["delta"] is None else on_hand + data["delta"]
        return [
            f"{self.row.product}: {on_hand} units on hand become {after}.",
            f"Reason in the movements: {data['reason']}",
        ]

    def run(self, actor_id: int) -> str:
        data = self.cleaned_data
        movement = services.stock_adjust(
            product_id=self.row.pk,
            delta=data["delta"],
            to=data["counted"],
            reason=data["reason"],
            actor_id=actor_id,
        )
        if movement is None:
            return f"The count agrees: {self.row.product} stays as it is."
        return f"Stock of {self.row.product} changed by {movement.delta:+d}."


class LevelFilter(admin.SimpleListFilter):
    title = "available"
    parameter_name = "level"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        low = f"low ({settings.LOW_STOCK_THRESHOLD} or fewer)"
        return [("out", "none"), ("low", low), ("held", "some held")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "out":
            return queryset.filter(left=0)
        if self.value() == "low":
            return queryset.filter(left__lte=settings.LOW_STOCK_THRESHOLD)
        return queryset.filter(held__gt=0) if self.value() == "held" else queryset


class MovementInline(PartInline):
    model = StockMovement
    formset = Newest
    verbose_name_plural = "newest movements"
    fields = ("created_at", "kind", "delta", "reason", "shown_order", "actor")
    ordering = ("-pk",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[StockMovement]:
        return super().get_queryset(request).select_related("actor", "order_line__order")

    @admin.display(description="order")
    def shown_order(self, movement: StockMovement) -> str:
        return link(movement.order_line.order if movement.order_line else None)


class HoldInline(PartInline):
    """Live holds only: released ones are in the movements or came back."""

    model = StockHold
    formset = Newest
    verbose_name_plural = "held for open orders"
    fields = ("created_at", "quantity", "shown_order")
    ordering = ("-pk",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[StockHold]:
        live = super().get_queryset(request).filter(released_at=None)
        return live.select_related("order_line__order")

    @admin.display(description="order")
    def shown_order(self, hold: StockHold) -> str:
        return link(hold.order_line.order)


@admin.register(Stock)
class StockAdmin(ReadOnlyAdmin):
    forms = (AdjustForm,)
    list_display = ("product", "sku", "on_hand", "held", "shown_available", "on_sale")
    list_filter = (LevelFilter, "product__category")
    list_select_related = ("product",)
    linked_by = ("product__archived_at__isnull",)
    search_fields = ("product__name", "product__sku", "product__slug")
    ordering = ("product__name",)
    fields = ("shown_product", "on_hand", "held", "shown_available", "all_movements")
    inlines = (HoldInline, MovementInline)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Stock]:
        return super().get_queryset(request).select_related("product")

    def title_of(self, row: Stock) -> str:
        return f"{row.product}: {row}"

    @admin.display(description="SKU", ordering="product__sku")
    def sku(self, stock: Stock) -> str:
        return stock.product.sku

    @admin.display(description="available", ordering="left")
    def shown_available(self, stock: Stock) -> int:
        return stock.available

    @admin.display(description="on sale", boolean=True, ordering="product__archived_at")
    def on_sale(self, stock: Stock) -> bool:
        return stock.product.archived_at is None

    @admin.display(description="product")
    def shown_product(self, stock: Stock) -> str:
        return link(stock.product)

    @admin.display(description="movements")
    def all_movements(self, stock: Stock) -> str:
        url = reverse("admin:shop_stockmovement_changelist")
        return format_html('<a href="{}?stock__exact={}">All movements</a>', url, stock.pk)


@admin.register(StockMovement)
class StockMovementAdmin(ReadOnlyAdmin):
    list_display = ("created_at", "product", "kind", "delta", "reason", "shown_order", "actor")
    list_filter = ("kind", "created_at")
    list_select_related = ("stock__product", "order_line__order", "actor")
    date_hierarchy = "created_at"
    search_fields = (
        "stock__product__name",
        "stock__product__sku",
        "reason",
        "order_line__order__number",
    )
    ordering = ("-pk",)
    fields = ("created_at", "shown_stock", "kind", "delta", "reason", "shown_order", "actor")

    @admin.display(description="product", ordering="stock__product__name")
    def product(self, movement: StockMovement) -> str:
        return movement.stock.product.name

    @admin.display(description="product")
    def shown_stock(self, movement: StockMovement) -> str:
        return link(movement.stock, movement.stock.product.name)

    @admin.display(description="order")
    def shown_order(self, movement: StockMovement) -> str:
        return link(movement.order_line.order if movement.order_line else None)

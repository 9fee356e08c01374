"""Orders in the admin, to look at and to fulfil; `payments.checkout.admin` adds their payments."""

from typing import ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from common.admin.base import PartInline, ReadOnlyAdmin, ReadOnlyInline
from common.admin.display import EMPTY, amount, link, some
from common.admin.forms import ServiceForm
from shop.orders import services
from shop.orders.models import Order, OrderEvent, OrderLine
from shop.orders.rules import Fulfilment, Status


class FulfilForm(ServiceForm):
    name = "fulfil"
    label = "Fulfil"

    @classmethod
    def fits(cls, row: Order) -> bool:
        paid = row.status in (Status.PAID, Status.PARTIALLY_REFUNDED)
        return paid and row.fulfilment == Fulfilment.OPEN

    def outcome(self) -> list[str]:
        return [f"Order {self.row} is marked as delivered. This cannot be undone."]

    def run(self, actor_id: int) -> str:
        services.order_fulfil(order_id=self.row.pk, actor_id=actor_id)
        return f"Order {self.row} is fulfilled."


class OrderLineInline(PartInline):
    model = OrderLine
    verbose_name_plural = "lines"
    fields = (
        "shown_product",
        "sku",
        "shown_price",
        "quantity",
        "shown_total",
        "shown_refunded",
        "refunded_quantity",
        "restocked_quantity",
        "held",
    )
    ordering = ("pk",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[OrderLine]:
        return super().get_queryset(request).select_related("product", "order", "hold")

    @admin.display(description="product")
    def shown_product(self, line: OrderLine) -> str:
        return link(line.product, line.name)

    @admin.display(description="unit price")
    def shown_price(self, line: OrderLine) -> str:
        return amount(line.unit_price, line.order.currency)

    @admin.display(description="total")
    def shown_total(self, line: OrderLine) -> str:
        return amount(line.total, line.order.currency)

    @admin.display(description="refunded")
    def shown_refunded(self, line: OrderLine) -> str:
        return amount(line.refunded, line.order.currency)

    @admin.display(description="hold")
    def held(self, line: OrderLine) -> str:
        hold = getattr(line, "hold", None)
        if hold is None:
            return EMPTY
        return hold.get_outcome_display() or f"{hold.quantity} held"


class OrderEventInline(PartInline):
    model = OrderEvent
    verbose_name_plural = "history"
    fields = ("created_at", "field", "old", "new", "reason", "actor")
    ordering = ("pk",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[OrderEvent]:
        return super().get_queryset(request).select_related("actor")


@admin.register(Order)
class OrderAdmin(ReadOnlyAdmin):
    forms: tuple[type[ServiceForm], ...] = (FulfilForm,)
    list_display = (
        "number",
        "user",
        "status",
        "fulfilment",
        "shown_total",
        "shown_refunded",
        "placed_at",
    )
    list_filter = ("status", "fulfilment", "placed_at")
    list_select_related = ("user",)
    date_hierarchy = "placed_at"
    linked_by = ("lines__product__id__exact",)
    search_fields = ("number", "user__email", "user__username", "lines__sku")
    ordering = ("-pk",)
    fields = (
        "number",
        "shown_user",
        "status",
        "fulfilment",
        "shown_total",
        "shown_refunded",
        "placed_at",
        "expires_at",
        "deadline_suspended",
        "paid_at",
        "fulfilled_at",
    )
    inlines: ClassVar[tuple[type[ReadOnlyInline], ...]] = (
        OrderLineInline,
        OrderEventInline,
    )
    actions = ("fulfil",)

    @admin.display(description="customer")
    def shown_user(self, order: Order) -> str:
        return link(order.user, order.user.email)

    @admin.display(description="total", ordering="total")
    def shown_total(self, order: Order) -> str:
        return amount(order.total, order.currency)

    @admin.display(description="refunded", ordering="refunded")
    def shown_refunded(self, order: Order) -> str:
        return some(order.refunded, order.currency)

    @admin.action(description="Fulfil the chosen orders", permissions=["act"])
    def fulfil(self, request: HttpRequest, queryset: QuerySet[Order]) -> None:
        actor_id = request.user.pk or 0

        def deliver(order: Order) -> None:
            services.order_fulfil(order_id=order.pk, actor_id=actor_id)

        self.each(request, queryset.order_by("pk"), deliver, "fulfilled")

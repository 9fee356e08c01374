"""Orders with what `payments` knows of them: their payments, and giving an unpaid one up."""

from django.contrib import admin

from common.admin.base import ReadOnlyInline
from common.admin.display import amount, link
from common.admin.forms import ServiceForm
from payments.checkout import services
from payments.intake.models import Payment
from shop.orders.admin import OrderAdmin
from shop.orders.models import Order
from shop.orders.rules import Status


class CancelForm(ServiceForm):
    name = "cancel"
    label = "Cancel order"

    @classmethod
    def fits(cls, row: Order) -> bool:
        return row.status == Status.PENDING

    def outcome(self) -> list[str]:
        return [
            f"Order {self.row} is cancelled and its stock is free again.",
            "Its open payment is closed; money that still comes in is late money.",
        ]

    def run(self, actor_id: int) -> str:
        services.order_cancel(order_id=self.row.pk, actor_id=actor_id)
        return f"Order {self.row} is cancelled."


class PaymentInline(ReadOnlyInline):
    model = Payment
    fields = ("shown_payment", "method", "status", "reason", "paid", "given_back", "created_at")
    ordering = ("pk",)

    @admin.display(description="payment")
    def shown_payment(self, payment: Payment) -> str:
        return link(payment)

    @admin.display(description="captured")
    def paid(self, payment: Payment) -> str:
        return amount(payment.captured, payment.currency)

    @admin.display(description="refunded")
    def given_back(self, payment: Payment) -> str:
        return amount(payment.refunded, payment.currency)


# The shop does not know payments; its page is replaced by one that does.
admin.site.unregister(Order)


@admin.register(Order)
class PaidOrderAdmin(OrderAdmin):
    forms = (*OrderAdmin.forms, CancelForm)
    inlines = (OrderAdmin.inlines[0], PaymentInline, *OrderAdmin.inlines[1:])

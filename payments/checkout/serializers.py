"""Orders with their payments, as clients see them."""

from datetime import datetime
from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from common.api.serializers import (
    AmountField,
    MoneyField,
    StrictCharField,
    StrictIntegerField,
    StrictSerializer,
)
from common.moments import moment_text
from common.money import to_text
from payments.checkout.services import FlashPlaced, Placed
from payments.intake.rules import Method
from payments.intake.serializers import METHODS, PaymentOut, page_of
from shop.flash_sales.models import FlashPurchase
from shop.flash_sales.rules import MAX_ALLOCATION
from shop.flash_sales.waiting.serializers import MOST_TICKET
from shop.orders.models import Order
from shop.orders.rules import MAX_TOTAL, Status
from shop.orders.serializers import OrderOut
from shop.orders.services import Demand


class LineIn(StrictSerializer):
    example: ClassVar = {"product": "desk-lamp", "quantity": 2}

    product = StrictCharField(max_length=100)
    quantity = StrictIntegerField(min_value=1, max_value=10_000)


class PayIn(StrictSerializer):
    """`token` and `refund_address` go with `crypto`; without a token it is ETH.

    `refund_address` is where coins go that are late or too few; without it they go into the wallet.
    """

    example: ClassVar = {"method": "stripe"}

    default_error_messages = {
        "token_without_crypto": "A token goes with crypto.",  # nosec B105  # a message
        "refund_address_without_crypto": "An address for refunds goes with crypto.",
    }

    method = serializers.ChoiceField(METHODS)
    token = StrictCharField(max_length=16, required=False)
    refund_address = StrictCharField(max_length=42, required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        for name in ("token", "refund_address"):
            if name in attrs and attrs["method"] != Method.CRYPTO:
                code = f"{name}_without_crypto"
                raise serializers.ValidationError({name: self.error_messages[code]}, code=code)
        return attrs


class OrderIn(StrictSerializer):
    example: ClassVar = {
        "lines": [LineIn.example],
        "payment": PayIn.example,
        "expected_total": "98.00",
    }

    # The stubs do not know the bounds that `many=True` takes.
    lines = LineIn(many=True, allow_empty=False, max_length=100)  # type: ignore[call-arg]
    payment = PayIn()
    expected_total = MoneyField(required=False)


class DepositMethodIn(PayIn):
    """As for an order, but not out of the wallet."""

    method = serializers.ChoiceField([name for name in METHODS if name != Method.WALLET])


class DepositIn(StrictSerializer):
    example: ClassVar = {"amount": "25.00", "currency": "USD", "payment": DepositMethodIn.example}

    amount = MoneyField(max_minor=MAX_TOTAL)
    currency = serializers.ChoiceField(["USD"], default="USD")
    payment = DepositMethodIn()


class OrderWithPaymentOut(OrderOut):
    """An order with the payment that is open, or that paid it, or the newest."""

    payment = serializers.SerializerMethodField()

    @extend_schema_field(PaymentOut(allow_null=True))
    def get_payment(self, order: Order) -> Any:
        return _payment(order, self.context["joined"])


def _payment(order: Order, joined: Any) -> Any:
    payment = joined.payments.get(order.pk)
    return payment and PaymentOut(payment, context={"details": joined.details}).data


class FlashPurchaseIn(StrictSerializer):
    """Units of the run that is open."""

    example: ClassVar = {"quantity": 1, "payment": PayIn.example}

    quantity = StrictIntegerField(min_value=1, max_value=MAX_ALLOCATION)
    payment = PayIn()
    ticket = StrictCharField(
        max_length=MOST_TICKET,
        required=False,
        help_text="Of `queue/`, where the sale has a waiting room.",
    )


class FlashPurchaseOut(serializers.Serializer[FlashPurchase]):
    """Units of a flash run: their serial numbers, and until when they are kept for the buyer."""

    order = OrderOut()
    payment = serializers.SerializerMethodField()
    run = serializers.IntegerField(source="run.number", help_text="The run's number.")
    units = serializers.SerializerMethodField(help_text="None once the order is given up.")
    held_until = serializers.SerializerMethodField(help_text="Null where no payment is awaited.")

    @extend_schema_field(PaymentOut(allow_null=True))
    def get_payment(self, purchase: FlashPurchase) -> Any:
        return _payment(purchase.order, self.context["joined"])

    def get_units(self, purchase: FlashPurchase) -> list[int]:
        return [unit.number for unit in purchase.units.all()]

    @extend_schema_field(serializers.DateTimeField(allow_null=True))
    def get_held_until(self, purchase: FlashPurchase) -> Any:
        awaited = purchase.order.status == Status.PENDING
        moment = purchase.order.expires_at
        return serializers.DateTimeField().to_representation(moment) if awaited else None


def placed_body(placed: Placed) -> dict[str, Any]:
    """What OrderWithPaymentOut shows of an order paid from the wallet, just committed.

    Read again and serialized, an order would cost as much as it takes to be written.
    """
    return {**_order_body(placed), "payment": _payment_body(placed)}


def bought_body(bought: FlashPlaced) -> dict[str, Any]:
    """The same of FlashPurchaseOut."""
    return {
        "order": _order_body(bought.placed),
        "payment": _payment_body(bought.placed),
        "run": bought.run.number,
        "units": bought.units,
        "held_until": None,
    }


def _order_body(placed: Placed) -> dict[str, Any]:
    order = placed.order
    return {
        "number": order.number,
        "status": str(order.status),
        "fulfilment": str(order.fulfilment),
        "currency": order.currency,
        "total": to_text(order.total, order.currency),
        "refunded_amount": to_text(0, order.currency),
        "lines": [_line_body(demand, order.currency) for demand in placed.demands],
        "placed_at": _moment(order.placed_at),
        "expires_at": _moment(order.expires_at),
        "paid_at": _moment(order.paid_at),
    }


def _line_body(demand: Demand, currency: str) -> dict[str, Any]:
    product = demand.product
    return {
        "product": product.slug,
        "name": product.name,
        "unit_price": to_text(product.price, currency),
        "quantity": demand.quantity,
        "total": to_text(product.price * demand.quantity, currency),
        "refunded_quantity": 0,
        "refunded_amount": to_text(0, currency),
    }


def _payment_body(placed: Placed) -> dict[str, Any]:
    payment = placed.payment
    return {
        "id": str(payment.uid),
        "order": placed.order.number,
        "method": str(payment.method),
        "status": str(payment.status),
        "reason": None,
        "amount": to_text(payment.amount, payment.currency),
        "currency": payment.currency,
        "created_at": _moment(payment.created_at),
        "expires_at": _moment(payment.expires_at),
        "captured_amount": to_text(payment.captured, payment.currency),
        "refunded_amount": to_text(0, payment.currency),
        "last_error": None,
        "page": page_of(payment),
        "stripe": None,
        "crypto": None,
    }


def _moment(value: datetime | None) -> str | None:
    return None if value is None else moment_text(value)


class MethodOut(serializers.Serializer[Any]):
    method = serializers.ChoiceField(METHODS)
    payments = serializers.IntegerField()
    spent = AmountField()


class MonthOut(serializers.Serializer[Any]):
    month = serializers.CharField(help_text="YYYY-MM, UTC")
    orders = serializers.IntegerField()
    spent = AmountField()


class FavouriteOut(serializers.Serializer[Any]):
    slug = serializers.CharField()
    name = serializers.CharField()
    quantity = serializers.IntegerField()


class SummaryOut(serializers.Serializer[Any]):
    currency = serializers.CharField()
    orders = serializers.IntegerField()
    items = serializers.IntegerField(help_text="units kept, after refunds")
    paid = MoneyField(help_text="before refunds")
    refunded = MoneyField()
    spent = MoneyField(help_text="paid less refunded")
    average_order_value = MoneyField(allow_null=True)
    by_method = MethodOut(many=True)
    by_month = MonthOut(many=True)
    favourite_product = FavouriteOut(allow_null=True)

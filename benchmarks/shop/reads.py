"""Reading what a customer has bought as most Django shops write it: pages by OFFSET, each row with
queries of its own, and every sum over all of the customer's rows."""

from typing import Any, ClassVar

from django.db.models import Count, F, Max, Min, QuerySet, Sum
from django.db.models.functions import TruncMonth
from rest_framework import generics, pagination, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.sessions.authentication import principal
from common.api.views import ApiView
from payments.intake.models import Payment
from shop.orders.models import Order, OrderLine


class PageOf20(pagination.PageNumberPagination):
    page_size = 20
    page_size_query_param = "page_size"


class LineOut(serializers.ModelSerializer[OrderLine]):
    """Each line asks for its order and its product."""

    order = serializers.CharField(source="order.number")
    product = serializers.CharField(source="product.slug")

    class Meta:
        model = OrderLine
        fields: ClassVar = [
            *("order", "product", "name", "sku", "quantity", "unit_price", "total"),
            *("refunded", "refunded_quantity", "purchased_at"),
        ]


class History(generics.ListAPIView[OrderLine]):
    serializer_class = LineOut
    pagination_class = PageOf20

    def get_queryset(self) -> QuerySet[OrderLine]:
        lines = OrderLine.objects.filter(user_id=principal(self.request).pk)
        return lines.filter(purchased_at__isnull=False).order_by("-purchased_at", "-pk")


class Items(ApiView):
    def get(self, request: Request) -> Response:
        lines = OrderLine.objects.filter(user_id=principal(request).pk, purchased_at__isnull=False)
        found = lines.values("product__slug", "product__name").annotate(
            orders=Count("order_id"),
            kept=Sum(F("quantity") - F("refunded_quantity")),
            spent=Sum(F("total") - F("refunded")),
            first=Min("purchased_at"),
            last=Max("purchased_at"),
        )
        return Response(list(found.order_by("-spent")[:10]))


class Summary(ApiView):
    def get(self, request: Request) -> Response:
        orders = Order.objects.filter(user_id=principal(request).pk, paid_at__isnull=False)
        payments = Payment.objects.filter(user_id=principal(request).pk, captured__gt=0)
        favourite = OrderLine.objects.filter(order__in=orders).values("product__slug")
        answer: dict[str, Any] = {
            **orders.aggregate(orders=Count("pk"), paid=Sum("total")),
            "by_month": list(_sums(orders, TruncMonth("paid_at"))),
            "by_method": list(_sums(payments, F("method"))),
            "favourite": favourite.annotate(units=Sum("quantity")).order_by("-units").first(),
        }
        return Response(answer)


def _sums(rows: QuerySet[Any], by: Any) -> QuerySet[Any]:
    amount = "total" if rows.model is Order else "captured"
    return rows.order_by().values(by=by).annotate(count=Count("pk"), spent=Sum(amount))
